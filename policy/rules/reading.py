"""Reads what the engine hands to a policy: what is not known before the update is UNKNOWN, and breaks no rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Secret,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

EXCEPTION = {
    "type": "object",
    "properties": {"resource": {"type": "string"}, "reason": {"type": "string"}, "expires": {"type": "string"}},
    "required": ["resource", "reason", "expires"],
}


class _Unknown:
    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Any = _Unknown()


@dataclass(frozen=True)
class Item:
    """A resource of the stack: type token, logical name, inputs, whether it is protected, and the tags and labels that
    its provider gives to all."""

    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any]
    protected: bool
    given: frozenset[str] = frozenset()

    def get(self, *path: str | int) -> Any:
        """A nested input; None where it is not set, UNKNOWN where something on the way to it is."""
        value: Any = self.inputs
        for key in path:
            if value is UNKNOWN:
                return UNKNOWN
            if isinstance(value, Mapping):
                value = value.get(str(key))
            elif isinstance(value, list) and isinstance(key, int):
                value = value[key] if key < len(value) else None
            else:
                return None
        return value

    def each(self, *path: str | int) -> list[Any]:
        """A list that may be absent or unknown."""
        found = self.get(*path)
        return found if isinstance(found, list) else []


Rule = Callable[[Item], Iterable[str]]
StackRule = Callable[[Sequence[Item]], Iterable[tuple[Item | None, str]]]


def on_resource(name: str, description: str, rule: Rule, level: str = "mandatory") -> ResourceValidationPolicy:
    """A policy that looks at one resource at a time, before it is made. The rule yields what is wrong, with the fix."""

    def validate(args: ResourceValidationArgs, report: Callable[..., None]) -> None:
        given = _given(plain(args.provider.props) if args.provider else {})
        item = Item(args.resource_type, args.name, args.urn, plain(args.props), bool(args.opts.protect), given)
        for problem in rule(item):
            if (note := _excepted(args.get_config(), item)) is not None:
                report(f"{item.name}: {problem}{note}")

    return ResourceValidationPolicy(
        name=name, description=description, validate=validate, enforcement_level=EnforcementLevel(level),
        config_schema=_schema(),
    )  # fmt: skip


def on_stack(name: str, description: str, rule: StackRule, level: str = "mandatory") -> StackValidationPolicy:
    """A policy that looks at all resources together."""

    def validate(args: StackValidationArgs, report: Callable[..., None]) -> None:
        items = [
            Item(each.resource_type, each.name, each.urn, plain(each.props), bool(each.opts.protect))
            for each in args.resources
        ]
        for item, problem in rule(items):
            if item is None:
                report(problem)
            elif (note := _excepted(args.get_config(), item)) is not None:
                report(f"{item.name}: {problem}{note}", item.urn)

    return StackValidationPolicy(
        name=name, description=description, validate=validate, enforcement_level=EnforcementLevel(level),
        config_schema=_schema(),
    )  # fmt: skip


def plain(value: Any) -> Any:
    """The engine's proxies as dicts and lists; an unknown or secret value as UNKNOWN."""
    if isinstance(value, Secret):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: _of(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_of(value, index) for index in range(len(value))]
    return value


def _of(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def _given(provider: Mapping[str, Any]) -> frozenset[str]:
    """The names of a provider's default tags (AWS) and labels (Google); the engine has them as JSON texts."""
    found: set[str] = set()
    for key in ("defaultTags", "defaultLabels"):
        value = provider.get(key)
        try:
            value = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            continue
        if isinstance(value, Mapping):
            inner = value.get("tags", value)
            found |= set(inner) if isinstance(inner, Mapping) else set()
    return frozenset(found)


def _schema() -> PolicyConfigSchema:
    return PolicyConfigSchema(properties={"exceptions": {"type": "array", "items": EXCEPTION}})


def _excepted(config: Mapping[str, Any], item: Item) -> str | None:
    """None: an exception holds for the resource. Else what to add to the problem."""
    for each in config.get("exceptions") or ():
        if each["resource"] not in (item.name, f"{item.type.split(':')[-1]} {item.name}"):
            continue
        if not each["reason"].strip():
            return " (its exception gives no reason)"
        try:
            expires = date.fromisoformat(each["expires"])
        except ValueError:
            return f" (its exception expires on {each['expires']!r}, which is no date such as 2026-12-31)"
        if expires >= date.today():
            return None
        return f" (its exception expired on {each['expires']})"
    return ""


def pods(item: Item) -> Iterator[Any]:
    """The pod specs of a workload."""
    kind = item.type.split(":")[-1]
    if kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"):
        spec = item.get(*(("spec", "jobTemplate") if kind == "CronJob" else ()), "spec", "template", "spec")
        if isinstance(spec, Mapping):
            yield spec


def containers(item: Item, *, first: bool = False) -> Iterator[Mapping[str, Any]]:
    """What the pods run; with `first` also what they run before."""
    for spec in pods(item):
        every = [*(spec.get("containers") or ()), *((spec.get("initContainers") or ()) if first else ())]
        yield from (each for each in every if isinstance(each, Mapping))
