"""What a cloud does with checked inputs: names, ids, outputs, replaces, refusals. Reads tables/<package>.yaml."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime.rpc import UNKNOWN

from slipway.simulator import in_use, refusals
from slipway.simulator.books import Books, Entry
from slipway.simulator.faults import CloudError
from slipway.simulator.scenario import Scenario, fill
from slipway.simulator.sdk import resource_type

TABLES = Path(__file__).with_name("tables")
Properties = dict[str, Any]


class Cloud:
    """One package's types over the books of a throw-away cloud. Knows nothing of the engine."""

    def __init__(self, package: str, books: Books, scenario: Scenario) -> None:
        self.package, self.books, self.scenario = package, books, scenario
        self.rows: dict[str, dict[str, Any]] = yaml.safe_load((TABLES / f"{package}.yaml").read_text())

    def configure(self, args: Properties) -> None:
        """What a provider is given."""

    def reach(self) -> None:
        """Raises CloudError where nobody would answer."""

    def answer(self, token: str, args: Properties) -> Properties:
        """What a function returns. Raises CloudError for one that the scenario does not answer."""
        return self.scenario.answer(token, args)

    def row(self, kind: str) -> dict[str, Any] | None:
        """The table's row of a type such as `aws:ec2/vpc:Vpc`; None for an unlisted one."""
        return self.rows.get(kind.partition(":")[2])

    def problems(self, kind: str, inputs: Properties) -> Iterator[tuple[str, str]]:
        """(argument, why) of what the SDK's types take and the cloud refuses."""
        yield from refusals.of(kind, inputs)

    def with_name(self, kind: str, inputs: Properties, before: Properties, urn_name: str) -> Properties:
        """The inputs with the name that the provider would make up, kept from `before` in an update."""
        named = (self.row(kind) or {}).get("named")
        prefix = inputs.get(f"{named}Prefix")
        if not named or named in inputs:
            return inputs
        return {**inputs, named: before.get(named) or f"{prefix or urn_name.lower() + '-'}{secrets.token_hex(4)[:7]}"}

    def entry(self, kind: str, inputs: Properties, name: str) -> Entry:
        """What a create puts into the books; nothing is written yet."""
        row = self.row(kind) or {}
        values = {**self.scenario.place(self.package), **_set(inputs)}
        values["id"] = id_ = fill(row["id"], values)
        outputs = self.labelled(kind, inputs, _merged(inputs, fill(row.get("outputs", {}), values)))
        values = {**_set(outputs), **values}
        return Entry(
            type=kind, id=id_, name=name, inputs=inputs, outputs=outputs, tags={},
            arn=fill(row["arn"], values) if "arn" in row else outputs.get("arn", ""),
            imports=fill(row.get("import", "{id}"), values),
            identity=fill(row["unique"], values) if "unique" in row else "",
        )  # fmt: skip

    @staticmethod
    def labelled(kind: str, inputs: Properties, outputs: Properties) -> Properties:
        """The outputs with all labels in effect, where the type tells them: a real import returns no other."""
        known, own = resource_type(kind), inputs.get("labels")
        return {**outputs, "effectiveLabels": own} if own and known and "effectiveLabels" in known.outputs else outputs

    def preview(self, kind: str, inputs: Properties) -> Properties:
        """The outputs as far as a real plugin knows them before it has created anything."""
        known = resource_type(kind)
        computed = {
            **dict.fromkeys(known.outputs if known else (), UNKNOWN),
            **_unknown((self.row(kind) or {}).get("outputs", {})),
        }
        return _merged(inputs, computed)

    @staticmethod
    def updated(before: Properties, inputs: Properties, outputs: Properties) -> Properties:
        """The outputs after an update in place: what was computed stays, also inside of objects."""
        kept = {key: value for key, value in outputs.items() if key not in before or key in inputs}
        for key, value in inputs.items():
            old, live = before.get(key), kept.get(key)
            if isinstance(value, dict) and isinstance(old, dict) and isinstance(live, dict):
                kept[key] = Cloud.updated(old, value, live)
            else:
                kept[key] = value
        return kept

    def authorize(self, verb: str, entry: Entry, before: Properties | None = None) -> None:
        """Raises CloudError where whoever deploys may not `make`, `read`, `change` or `remove` it. `before`: the inputs
        that an update changes."""

    def refuse(self, entry: Entry) -> None:
        """Raises CloudError where the account has no room, no such machine or no such member."""
        # A grant that is there already is granted once more without a word.
        additive = (self.row(entry["type"]) or {}).get("additive")
        if not additive and (twin := self.books.twin(entry)):
            raise CloudError(f"{entry['type']} {entry['identity']} AlreadyExists ({twin['id']})")
        if why := refusals.missing_agent(entry["inputs"], self.books):
            raise CloudError(f"{entry['type']} {entry['name']}: {why}")
        limit = self.scenario.values["quotas"].get(entry["type"])
        if limit is not None and sum(each["type"] == entry["type"] for each in self.books.all()) >= limit:
            raise CloudError(f"{entry['type']}: QuotaExceeded: the account holds {limit} at most")
        wanted = list(_machines(entry["inputs"]))
        gpus = self.scenario.values["gpus"]
        zones = set(self._zones(entry["inputs"]))
        for machine in wanted:
            if machine in gpus and not zones & set(gpus[machine]):
                where = f"in {', '.join(sorted(zones))}" if zones else "in any zone"
                raise CloudError(f"{entry['type']}: InsufficientCapacity: {machine} is not offered {where}")

    def refuse_delete(self, kind: str, id_: str) -> None:
        """Raises CloudError where the resource's own deletion protection is on, it is not empty, or in use."""
        row, entry = self.row(kind) or {}, self.books.find(kind, id_)
        if entry is None:
            return
        if (guard := row.get("guard")) and entry["inputs"].get(guard):
            raise CloudError(f"{kind} {id_}: OperationNotPermitted: {guard} is on")
        if why := in_use.why(row, entry, self.books):
            raise CloudError(f"{kind} {id_}: {why}")

    def imported(self, kind: str, properties: Properties) -> Properties:
        """Inputs or outputs as an import has them: create-only arguments of which the cloud tells nothing are at their
        defaults."""
        found = copy.deepcopy(properties)
        for path, default in ((self.row(kind) or {}).get("forgets") or {}).items():
            *folders, key = path.split(".")
            place = _at(found, ".".join(folders)) if folders else found
            if isinstance(place, dict) and key in place:
                place[key] = default
        return found

    def replaces(self, kind: str, old: Properties, new: Properties) -> tuple[list[str], list[str]]:
        """(changed arguments, those of them that make a new one)."""
        for path, key in (self.row(kind) or {}).get("indifferent", {}).items():
            old, new = (_without(each, path.split("."), key) for each in (old, new))
        changed = sorted(
            key for key in old.keys() | new.keys() if not key.startswith("__") and old.get(key) != new.get(key)
        )
        immutable = (self.row(kind) or {}).get("replaces", [])
        return changed, [
            path for path in immutable if path.split(".")[0] in changed and _at(old, path) != _at(new, path)
        ]

    def _zones(self, inputs: Properties) -> Iterator[str]:
        for subnet in inputs.get("subnetIds") or []:
            found = self.books.find("aws:ec2/subnet:Subnet", subnet)
            yield from [found["inputs"].get("availabilityZone", "")] if found else []
        yield from inputs.get("nodeLocations") or []
        location = str(inputs.get("location", ""))
        if location and not inputs.get("nodeLocations"):
            yield from [location] if location[-2:-1] == "-" else [f"{location}-{letter}" for letter in "abc"]


def _machines(inputs: Properties) -> Iterator[str]:
    yield from inputs.get("instanceTypes") or []
    for accelerator in (inputs.get("nodeConfig") or {}).get("guestAccelerators") or []:
        yield accelerator["type"]


def _set(values: Properties) -> Properties:
    return {key: value for key, value in values.items() if value is not None}


def _merged(inputs: Properties, computed: Properties) -> Properties:
    """Computed values under the user's own, object by object."""
    merged = {**computed, **inputs}
    for key in computed.keys() & inputs.keys():
        if isinstance(computed[key], dict) and isinstance(inputs[key], dict):
            merged[key] = _merged(inputs[key], computed[key])
    return merged


def _unknown(template: Any) -> Any:
    return {key: _unknown(each) for key, each in template.items()} if isinstance(template, dict) else UNKNOWN


def _without(values: Any, path: list[str], key: str) -> Any:
    """The values without the entry of that key in a list at a place; without the list where nothing else is in it."""
    if not path:
        return [each for each in values if each.get("key") != key]
    if not isinstance(values, dict) or path[0] not in values:
        return values
    inner = _without(values[path[0]], path[1:], key)
    return {**{name: each for name, each in values.items() if name != path[0]}, **({path[0]: inner} if inner else {})}


def _at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values
