"""What the last update recorded of this stack, asked of the engine."""

from __future__ import annotations

import time
from typing import Any

import pulumi

_SECONDS = 5  # for as long a state that can't be read is asked for again


def recorded_outputs() -> dict[str, Any]:
    """The stack's outputs; empty before its first update."""
    return dict(_recorded("readStackOutputs", "name"))


def recorded_resources() -> list[dict[str, Any]]:
    """Its resources, also after an update that failed: {type, outputs}."""
    found = _recorded("readStackResourceOutputs", "stackName").values()
    return [{"type": each["type"], "outputs": each.get("outputs") or {}} for each in found]


def _recorded(function: str, argument: str) -> dict[str, Any]:
    stack, own = pulumi.get_stack(), pulumi.get_organization()
    # Backends without organizations call it so, and old ones of them know a stack by its name alone.
    name = stack if own == "organization" else f"{own}/{pulumi.get_project()}/{stack}"
    until = time.monotonic() + _SECONDS
    while True:
        try:
            known: dict[str, Any] = pulumi.runtime.invoke(f"pulumi:pulumi:{function}", {argument: name}).value
            return known.get("outputs") or {}
        except Exception as error:  # the SDK raises no other class
            # The engine writes the state beside us, and a backend of files does not replace all of it at once.
            if "failed to load checkpoint" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.05)
