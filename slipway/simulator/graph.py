"""The resource tree and the diagram of a stack, from its state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Resource = dict[str, Any]


def tree(resources: list[Resource]) -> Iterator[str]:
    """One line per resource, children under their parents; providers of default are left out."""
    shown = [each for each in resources if not _is_default(each)]
    known = {each["urn"] for each in shown}
    tops = [each for each in shown if each.get("parent") not in known]
    for top in tops:
        yield from _branch(top, shown, "", "")


def mermaid(resources: list[Resource]) -> Iterator[str]:
    """A Mermaid flowchart: one node per resource, one arrow per dependency that no longer path says already."""
    shown = [each for each in resources if each["custom"] and not _is_default(each)]
    keys = {each["urn"]: f"n{index}" for index, each in enumerate(shown)}
    needs = {each["urn"]: {urn for urn in _needs(each) if urn in keys} for each in shown}
    yield "flowchart LR"
    groups: dict[str, list[Resource]] = {}
    for each in shown:
        groups.setdefault(_group(each), []).append(each)
    for group, members in groups.items():
        yield f"  subgraph {group}"
        yield from (f'    {keys[each["urn"]]}["{_kind(each)}<br/>{_name(each)}"]' for each in members)
        yield "  end"
    for urn, needed in needs.items():
        indirect = {far for near in needed for far in _reach(near, needs)}
        yield from (f"  {keys[each]} --> {keys[urn]}" for each in sorted(needed - indirect, key=keys.__getitem__))


def components(resources: list[Resource]) -> Iterator[str]:
    """The same of what stands right under the stack: which component needs which, by what their resources need."""
    known = {each["urn"]: each for each in resources if not _is_default(each)}
    (stack,) = [urn for urn, each in known.items() if each["type"] == "pulumi:pulumi:Stack"]

    def top(urn: str) -> str:
        parent = known[urn].get("parent")
        return urn if parent in (None, stack) else top(parent)

    tops = list(dict.fromkeys(top(urn) for urn in known if urn != stack))
    needs: dict[str, set[str]] = {each: set() for each in tops}
    for urn, each in known.items():
        if urn != stack:
            needs[top(urn)] |= {top(other) for other in _needs(each) if other in known} - {top(urn)}
    keys = {urn: f"n{index}" for index, urn in enumerate(tops)}
    yield "flowchart LR"
    yield from (f'  {keys[urn]}["{_kind(known[urn])}<br/>{_name(known[urn])}"]' for urn in tops)
    for urn, needed in needs.items():
        indirect = {far for near in needed for far in _reach(near, needs, urn)}
        yield from (f"  {keys[each]} --> {keys[urn]}" for each in sorted(needed - indirect, key=keys.__getitem__))


def _branch(resource: Resource, shown: list[Resource], own: str, below: str) -> Iterator[str]:
    yield f"{own}{_kind(resource)} {_name(resource)}"
    children = [each for each in shown if each.get("parent") == resource["urn"]]
    for child in children:
        last = child is children[-1]
        yield from _branch(child, shown, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))


def _needs(resource: Resource) -> set[str]:
    provider = (resource.get("provider") or "").rpartition("::")[0]
    return {*(resource.get("dependencies") or ()), provider}


def _reach(urn: str, needs: dict[str, set[str]], start: str = "") -> set[str]:
    """All that is needed, near and far. Components may need each other, so each is looked at once."""
    found: set[str] = set()
    waiting = [urn]
    while waiting:
        fresh = needs[waiting.pop()] - found - {start}
        found |= fresh
        waiting += fresh
    return found


def _is_default(resource: Resource) -> bool:
    return resource["type"].startswith("pulumi:providers:") and _name(resource).startswith("default")


def _group(resource: Resource) -> str:
    return re.sub(r"\W", "_", resource["type"].split(":")[-2].split("/")[0] if ":" in resource["type"] else "stack")


def _kind(resource: Resource) -> str:
    package, _, kind = resource["type"].replace("pulumi:providers:", "provider::").partition(":")
    return f"{package}:{kind.rsplit(':', 1)[-1]}"


def _name(resource: Resource) -> str:
    return str(resource["urn"].rsplit("::", 1)[-1])
