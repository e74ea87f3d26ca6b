"""Checks a value against a type of the SDK, the way a provider's own schema would."""

from __future__ import annotations

import enum
import types
from collections import abc
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

import pulumi
from pulumi import _types
from pulumi.runtime.rpc import UNKNOWN

from slipway.simulator.sdk import Argument, ResourceType, arguments_of

ASSET_SIGNATURE = "4dabf18193072939515e22adb298388d"
# These enums list what existed when the SDK was made; the cloud takes more: ARNs of one's own, new machine types.
OPEN_ENUMS = ("ManagedPolicy", "InstanceType", "Region", "Runtime")
# The engine and the SDKs put these beside the user's inputs.
INTERNAL = ("__defaults", "__provider", "__internal", "__name")

Problem = tuple[str, str]


def input_problems(inputs: dict[str, Any], known: ResourceType) -> Iterator[Problem]:
    """(argument, what is wrong with it) for a resource's inputs. Unknown values are taken as right."""
    if known.deprecated:
        yield "", f"is deprecated: {known.deprecated}"
    yield from _object_problems(inputs, known.arguments, "")


def value_problems(value: Any, hint: Any, path: str) -> Iterator[Problem]:
    """(path, what is wrong) for one value of the given type."""
    if value == UNKNOWN or value is None or hint is Any or hint is object:
        return
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        yield from _union_problems(value, hint, path)
    elif origin is Literal:
        if value not in get_args(hint):
            yield path, f"is {value!r}, not one of {_listed(get_args(hint))}"
    elif origin in (abc.Sequence, list):
        if not isinstance(value, list):
            yield path, f"is {_kind(value)}, not a list"
        else:
            for index, item in enumerate(value):
                yield from value_problems(item, get_args(hint)[0], f"{path}[{index}]")
    elif origin in (abc.Mapping, dict):
        if not isinstance(value, dict):
            yield path, f"is {_kind(value)}, not a map"
        else:
            for key, item in value.items():
                yield from value_problems(item, get_args(hint)[1], f"{path}.{key}")
    elif isinstance(hint, type):
        yield from _plain_problems(value, hint, path)
    else:
        yield path, f"has the type {hint}, which the stand-in can't check"


def _object_problems(value: dict[str, Any], arguments: abc.Mapping[str, Argument], path: str) -> Iterator[Problem]:
    for name in value.keys() - arguments.keys() - set(INTERNAL):
        yield path + name, "is no argument of this type"
    for name, argument in arguments.items():
        if value.get(name) is None:
            if argument.required:
                yield path + name, "is required and missing"
            continue
        if argument.deprecated:
            yield path + name, f"is deprecated: {argument.deprecated}"
        yield from value_problems(value[name], argument.hint, path + name)


def _union_problems(value: Any, hint: Any, path: str) -> Iterator[Problem]:
    choices = [
        each
        for each in get_args(hint)
        if each is not types.NoneType and get_origin(each) not in (pulumi.Output, abc.Awaitable)
    ]
    enums = [each for each in choices if isinstance(each, type) and issubclass(each, enum.Enum)]
    if enums and not any(each.__name__ in OPEN_ENUMS for each in enums):
        # The SDK's `str | Enum` lets any text through; the provider behind it does not.
        choices = [each for each in choices if each is not str]
    found: list[Problem] = []
    for choice in choices:
        problems = list(value_problems(value, choice, path))
        if not problems:
            return
        found = found if 0 < len(found) <= len(problems) else problems
    yield from found


def _plain_problems(value: Any, hint: Any, path: str) -> Iterator[Problem]:
    if issubclass(hint, enum.Enum):
        values = [each.value for each in hint]
        if value not in values:
            yield path, f"is {value!r}, not one of {_listed(values)}"
    elif _types.is_input_type(hint):
        if not isinstance(value, dict):
            yield path, f"is {_kind(value)}, not an object"
        else:
            yield from _object_problems(value, arguments_of(hint), f"{path}.")
    elif hint in (bool, str):
        if not isinstance(value, hint):
            yield path, f"is {_kind(value)}, not a {'boolean' if hint is bool else 'string'}"
    elif hint in (int, float):
        if isinstance(value, bool) or not isinstance(value, int | float) or (hint is int and value != int(value)):
            yield path, f"is {_kind(value)}, not {'an integer' if hint is int else 'a number'}"
    elif issubclass(hint, pulumi.Asset | pulumi.Archive):
        if not (isinstance(value, dict) and ASSET_SIGNATURE in value):
            yield path, f"is {_kind(value)}, not an asset"
    else:
        yield path, f"has the type {hint.__name__}, which the stand-in can't check"


def _kind(value: Any) -> str:
    names = {bool: "a boolean", str: "a string", list: "a list", dict: "a map", int: "a number", float: "a number"}
    return f"{names[type(value)]} ({value!r:.60})"


def _listed(values: Any) -> str:
    return ", ".join(map(str, list(values)[:8]))
