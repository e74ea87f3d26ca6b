"""Takes resources that are there into a stack's state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from slipway.ops.state.pulumi import export_state, pulumi

KEPT = (
    "urn", "custom", "type", "inputs", "parent", "provider", "dependencies", "propertyDependencies", "protect",
    "additionalSecretOutputs", "customTimeouts", "retainOnDelete", "deletedWith", "aliases", "ignoreChanges",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Found:
    """A resource as the state would have it, and the id under which it is looked for."""

    record: dict[str, Any]
    id: str


def adopt(stack: str, exported: dict[str, Any], found: list[Found], others: list[str]) -> list[str]:
    """Writes the state without pending creates and with the found resources, then reads these and `others` anew.

    Reading drops what is not there after all, and what turns out to be another's is left alone.
    Returns the URNs of `found` that stayed.
    """
    resources = exported["deployment"].setdefault("resources", [])
    before = {each["urn"]: dict(each) for each in resources if not each.get("delete")}
    there = {*before, *(f"{urn}::{each.get('id')}" for urn, each in before.items())}
    fresh = [each for each in found if _was_begun(each.record, there) and _place(each, resources)]
    pending = exported["deployment"].get("pending_operations") or []
    exported["deployment"]["pending_operations"] = [each for each in pending if each["type"] != "creating"]
    pulumi("stack", "import", "--stack", stack, stdin=json.dumps(exported))
    have = {each["urn"] for each in resources}
    targets = [*(each.record["urn"] for each in fresh), *(urn for urn in others if urn in have)]
    if targets:
        named = [argument for urn in dict.fromkeys(targets) for argument in ("--target", urn)]
        pulumi("refresh", "--stack", stack, "--yes", "--skip-preview", "--clear-pending-creates", *named)
    exported = export_state(stack)
    now = {each["urn"]: each for each in exported["deployment"].get("resources") or [] if not each.get("delete")}
    if foreign := {each.record["urn"] for each in fresh if _is_foreign(each.record, now.get(each.record["urn"]))}:
        kept = exported["deployment"]["resources"]
        exported["deployment"]["resources"] = list(_without(foreign, kept, before))
        pulumi("stack", "import", "--stack", stack, stdin=json.dumps(exported))
    return [each.record["urn"] for each in found if each.record["urn"] in now.keys() - foreign]


def _was_begun(record: dict[str, Any], there: set[str]) -> bool:
    """Whether the update can have come as far: a parent and a provider are recorded before what needs them is made."""
    return all(not record.get(key) or record[key] in there for key in ("parent", "provider"))


def _place(each: Found, resources: list[dict[str, Any]]) -> bool:
    """Takes a found resource among the recorded ones, where there is no record of it.

    What the update had deleted to replace it gives up its place; what it would have deleted afterwards is marked so.
    """
    urn = each.record["urn"]
    position = next(
        (index for index, one in enumerate(resources) if one["urn"] == urn and not one.get("delete")), len(resources)
    )
    old = resources[position] if position < len(resources) else None
    if old and old.get("pendingReplacement"):
        resources.pop(position)
    elif old and old.get("id") == each.id:
        return False
    elif old:
        old["delete"] = True
    have = {one["urn"] for one in resources[:position]}  # what comes later was not needed to make it
    record = {key: value for key, value in each.record.items() if key in KEPT}
    record["dependencies"] = [urn for urn in record.get("dependencies") or [] if urn in have]
    record["propertyDependencies"] = {
        key: [urn for urn in urns or [] if urn in have]
        for key, urns in (record.get("propertyDependencies") or {}).items()
    }
    resources.insert(position, {**record, "id": each.id, "outputs": {}})
    return True


def _without(
    foreign: set[str], resources: list[dict[str, Any]], before: dict[str, dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The resources with the foreign ones as they were recorded before, or not at all."""
    for each in resources:
        if each["urn"] not in foreign:
            yield each
        elif not each.get("delete") and each["urn"] in before:
            yield before[each["urn"]]
        elif each.get("delete") and each.get("id") != before.get(each["urn"], {}).get("id"):
            yield each


def _is_foreign(wanted: dict[str, Any], there: dict[str, Any] | None) -> bool:
    """Whether what has the name lacks the labels that this stack's own would have: names in a cluster are anyone's."""
    labels = _labels(wanted.get("inputs"))
    return there is not None and not labels.items() <= _labels(there.get("outputs")).items()


def _labels(properties: Any) -> dict[str, Any]:
    """An object's labels; of anything but a Kubernetes object there are none."""
    metadata = (properties or {}).get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels if isinstance(labels, dict) else {}
