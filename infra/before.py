"""The outputs of the stack's last update, and what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


def last_outputs() -> Mapping[str, Any]:
    """Empty if no update has succeeded yet."""
    own, stack = pulumi.get_organization(), pulumi.get_stack()
    # Backends without organizations call it so, and old ones of them know a stack by its name alone.
    name = stack if own == "organization" else f"{own}/{pulumi.get_project()}/{stack}"
    known: Mapping[str, Any] = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": name}).value
    return known.get("outputs") or {}


def kept_namespace(of_this_version: str, of_the_last: str, chosen: str | None) -> str:
    """The namespace of the stack's services: as configured, else the one that they are in, else `of_this_version`. A
    move would replace everything in it, the load balancer's targets included.

    `of_the_last`: where versions that exported no namespace put them.
    """
    before = last_outputs()
    if chosen or not before.get("services"):
        return chosen or of_this_version
    return str(before.get("namespace") or of_the_last)
