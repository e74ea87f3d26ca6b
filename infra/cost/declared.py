"""What a program has declared, as plain values: what is only known later is UNKNOWN."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi._types import input_type_to_dict, is_input_type

# How the engine writes a value that is not known yet, and marks a secret.
ENGINE_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - a marker, no secret


_GOING = ("delete", "delete-replaced", "discard", "remove-pending-replace")


class _Unknown:
    def __repr__(self) -> str:
        return "unknown"

    def __bool__(self) -> bool:
        return False


UNKNOWN = _Unknown()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A resource by its type token and its inputs, with the keys of the engine (camelCase)."""

    type: str
    name: str
    inputs: Mapping[str, Any]

    def get(self, *path: str | int) -> Any:
        """A nested input; None where it is not set, UNKNOWN where something on the way to it is."""
        value: Any = self.inputs
        for key in path:
            if value is UNKNOWN:
                return UNKNOWN
            if isinstance(value, Mapping) and isinstance(key, str):
                value = value.get(key)
            elif isinstance(value, (list, tuple)) and isinstance(key, int):
                value = value[key] if key < len(value) else None
            else:
                return None
        return value


class Declarations:
    """All that the program declares from here on.

    A stack transformation notes each resource before it is registered. Inputs that are Outputs are not waited for:
    what decides the price - machines, counts, regions - is plain, and the same in a preview and in an update.
    """

    def __init__(self) -> None:
        self._noted: list[pulumi.ResourceTransformationArgs] = []
        pulumi.runtime.register_stack_transformation(self._note)

    def all(self) -> list[Declared]:
        return [Declared(type=each.type_, name=each.name, inputs=plain(each.props)) for each in self._noted]

    def _note(self, args: pulumi.ResourceTransformationArgs) -> None:
        self._noted.append(args)


def planned(steps: Sequence[Mapping[str, Any]]) -> tuple[list[Declared], list[Declared]]:
    """What there is before the steps of `pulumi preview --json`, and what they lead to."""
    before: dict[str, Declared] = {}
    after: dict[str, Declared] = {}
    for step in steps:
        for found, states, gone in ((step.get("oldState"), before, ()), (step.get("newState"), after, _GOING)):
            if found and found.get("custom") and step["op"] not in gone:
                name = str(found["urn"]).rsplit("::", 1)[1]
                states[found["urn"]] = Declared(type=found["type"], name=name, inputs=plain(found.get("inputs") or {}))
    return list(before.values()), list(after.values())


def plain(value: Any) -> Any:
    """Args classes as mappings, keys in camelCase, Outputs and the engine's unknowns as UNKNOWN."""
    if isinstance(value, pulumi.Output) or value == ENGINE_UNKNOWN:
        return UNKNOWN
    if is_input_type(type(value)) and not isinstance(value, Mapping):
        value = input_type_to_dict(value)
    if isinstance(value, Mapping):
        if SECRET in value:
            return UNKNOWN
        return {_camel(key): plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def _camel(key: str) -> str:
    """snake_case as the engine has it; labels and the like (with dots, dashes or slashes) stay as they are."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), key) if re.fullmatch(r"[a-z0-9_]+", key) else key
