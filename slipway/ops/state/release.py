"""Takes the protection off a production stack: all of it, or what one update needs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.infra.protection import PRODUCTION, RELEASED, RELEASING
from slipway.ops.state.preview import REPLACED, STACK, Preview, run_preview
from slipway.ops.state.pulumi import export_state, pulumi, short
from slipway.pipeline.errors import PipelineError

# Arguments by which a cloud itself refuses a delete.
GUARDS = ("deletionProtection", "enableDeletionProtection")
# What the engine says of protected resources, and of every update that fails.
_EXPECTED = ("cannot be deleted", "as it is currently marked for protection", "preview failed", "update failed")
_CHAIN = "as part of replacing"  # the engine stops there, and what it has not come to is not known


class Held(PipelineError):
    """The stack is protected: what would take it down was not begun."""

    kind = "refused"


@dataclass(frozen=True)
class Protected:
    """What of a stack the engine would not delete, and what of it a destroy leaves in any case."""

    records: Sequence[Mapping[str, Any]]
    retained: Sequence[Mapping[str, Any]]

    @property
    def names(self) -> list[str]:
        return sorted(short(str(each["urn"])) for each in self.records)


def protected(stack: str) -> Protected:
    """Of all that the state has. Raises PipelineError where there is no such stack."""
    records = _records(export_state(stack))
    held = [each for each in records if each.get("protect")]
    return Protected(held, [each for each in records if each.get("retainOnDelete")])


def needed(stack: str, found: Protected) -> Protected:
    """Of `found`, what the next update would delete or replace.

    Raises:
        PipelineError: a preview fails for another reason than protection.
    """
    preview = run_preview(stack)
    if others := [each for each in preview.errors if _CHAIN in each or not any(said in each for said in _EXPECTED)]:
        raise PipelineError(
            f"what the next update needs is not known, as a preview of it fails; `slipway release {stack}` without "
            f"--update takes all protection off:\n" + "\n".join(others)
        )
    going = _going(preview, found)
    return Protected(going, [each for each in going if each.get("retainOnDelete")])


def release(stack: str, found: Protected, everything: bool) -> Iterator[str]:
    """Takes the protection off what was found, and says what it did. Where it is everything, the stack may also become
    another than production. The next update that succeeds protects again.

    Raises:
        PipelineError: a cloud's own protection could not be taken off, or the state not be written.
    """
    urns = {each["urn"] for each in found.records}
    guarded = [each["urn"] for each in found.records if any((each.get("inputs") or {}).get(key) for key in GUARDS)]
    if guarded:
        named = [argument for urn in guarded for argument in ("--target", urn)]
        pulumi("up", "--stack", stack, "--yes", "--skip-preview", *named, env={**os.environ, RELEASING: stack})
        yield f"The cloud's own protection is off: {', '.join(map(short, guarded))}"
    exported = export_state(stack)
    for each in _records(exported):
        if each["urn"] in urns:
            each["protect"] = False
        if everything and each["type"] == STACK and (each.get("outputs") or {}).get("environment") == PRODUCTION:
            each["outputs"]["environment"] = RELEASED
    pulumi("stack", "import", "--stack", stack, stdin=json.dumps(exported))
    yield f"{len(urns)} resources of {stack} are released"


def refuse_held(stack: str) -> None:
    """Raises Held where anything of the stack is protected."""
    if found := protected(stack).records:
        raise Held(
            f"{stack} is production: {len(found)} resources are protected, and nothing was deleted. To take the stack "
            f"down: slipway release {stack}, then make down STACK={stack}"
        )


def _going(preview: Preview, found: Protected) -> list[Mapping[str, Any]]:
    """The engine plans no delete below one that it refuses, so what the program did not declare counts as going."""
    declared = {each["urn"] for each in preview.steps if each["op"] not in ("refresh", "read", "delete")}
    replaced = {each["urn"] for each in preview.steps if each["op"] in REPLACED}
    return [each for each in found.records if each["urn"] in replaced or each["urn"] not in declared]


def _records(exported: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is there, without what a failed update has still to delete."""
    return [each for each in exported["deployment"].get("resources") or [] if not each.get("delete")]
