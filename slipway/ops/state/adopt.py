"""Takes resources that are there into a stack's state."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from slipway.infra.names import IDENTITY_LABEL, IDENTITY_TAG
from slipway.ops.state.pulumi import export_state, pulumi

KEPT = (
    "urn", "custom", "type", "inputs", "parent", "provider", "dependencies", "propertyDependencies", "protect",
    "additionalSecretOutputs", "customTimeouts", "retainOnDelete", "deletedWith", "aliases", "ignoreChanges",
)  # fmt: skip


# The name under which the Kubernetes plugin applies an object: made up for each, and again for one it does not know.
MANAGED_BY, MADE_UP = "__fieldManager", "pulumi-kubernetes-"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A resource as the state would have it, and the id under which it is looked for."""

    record: dict[str, Any]
    id: str


def adopt(
    stack: str, exported: dict[str, Any], found: list[Found], others: list[str], unmarked: bool = False
) -> list[str]:
    """Writes the state without pending creates and with the found resources, then reads these and `others` anew.

    Reading drops what is not there after all, and what turns out to be another's is left alone; what carries no
    identity at all is another's unless `unmarked`. Returns the URNs of `found` that stayed.
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
    renamed = [_keeps_its_manager(now[each.record["urn"]]) for each in fresh if each.record["urn"] in now]
    if foreign := {
        each.record["urn"] for each in fresh if _is_foreign(each.record, now.get(each.record["urn"]), unmarked)
    }:
        kept = exported["deployment"]["resources"]
        exported["deployment"]["resources"] = list(_without(foreign, kept, before))
    if foreign or any(renamed):
        pulumi("stack", "import", "--stack", stack, stdin=json.dumps(exported))
    return [each.record["urn"] for each in found if each.record["urn"] in now.keys() - foreign]


def begin(planned: list[dict[str, Any]], exported: dict[str, Any]) -> None:
    """Records the components and providers of a plan in a state that was lost, as an update does before it makes what
    is in them. A provider whose settings are not known yet, as its cluster is still to be found, comes with the next
    plan."""
    resources = exported["deployment"].setdefault("resources", [])
    there = {each["urn"]: each.get("id") for each in resources}
    for each in planned:
        is_provider = each["type"].startswith("pulumi:providers:")
        if is_provider and UNKNOWN in json.dumps(each.get("inputs") or {}):
            continue
        fits = is_provider or not each.get("custom")
        if fits and each["urn"] not in there and (not each.get("parent") or each["parent"] in there):
            there[each["urn"]] = str(uuid.uuid4()) if is_provider else None
            record = {key: value for key, value in each.items() if key in KEPT}
            record["dependencies"] = [urn for urn in each.get("dependencies") or [] if urn in there]
            record["propertyDependencies"] = {}
            made = {"id": there[each["urn"]], "outputs": each.get("inputs") or {}} if is_provider else {}
            resources.append({**record, **made})
        provider = (each.get("provider") or "").rpartition("::")[0]
        if there.get(provider):
            each["provider"] = f"{provider}::{there[provider]}"


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


def _keeps_its_manager(there: dict[str, Any]) -> bool:
    """Has an object go on under the name that it was created under, and says whether that is another than recorded.
    Under a new name the old one would keep its fields: the next change of one would be refused as a conflict."""
    outputs = there.get("outputs") or {}
    fields = (outputs.get("metadata") or {}).get("managedFields") or () if MANAGED_BY in outputs else ()
    before = {each["manager"] for each in fields if each["manager"].startswith(MADE_UP)} - {outputs.get(MANAGED_BY)}
    if len(before) != 1:
        return False
    outputs[MANAGED_BY] = before.pop()
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


def _is_foreign(wanted: dict[str, Any], there: dict[str, Any] | None, unmarked: bool = False) -> bool:
    """Whether what has the name lacks the labels that this stack's own would have: names in a cluster are anyone's. In
    a cloud the identity alone counts, as other labels are also changed by hand."""
    if there is None:
        return False
    labels, found = _labels(wanted.get("inputs")), _labels(there.get("outputs"))
    if unmarked and not found.get(IDENTITY_LABEL):
        labels = {key: value for key, value in labels.items() if key != IDENTITY_LABEL}
    return not labels.items() <= found.items()


def _labels(properties: Any) -> dict[str, Any]:
    """The labels of a Kubernetes object; of anything else its identity, where it carries one."""
    properties = properties or {}
    metadata = properties.get("metadata")
    if isinstance(metadata, dict):
        return metadata.get("labels") or {}
    # Google tells some labels only among those in effect.
    for key in ("tags", "effectiveLabels", "labels", "userLabels", "resourceLabels"):
        held = properties.get(key)
        if isinstance(held, dict) and (mark := held.get(IDENTITY_TAG) or held.get(IDENTITY_LABEL)):
            return {IDENTITY_LABEL: mark}
    return {}
