"""What a cloud refuses to delete: what is not empty, and what something else still uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slipway.simulator.books import Books, Entry
from slipway.simulator.scenario import fill


def why(row: dict[str, Any], entry: Entry, books: Books) -> str:
    """The reason, or nothing. A row's `held` names those that may use the thing, as `type path>in>inputs`; its
    `filled` the folder of its objects, which `forceDestroy` lets go."""
    folder = fill(row.get("filled", ""), entry["inputs"])
    if folder and not entry["inputs"].get("forceDestroy") and _objects(folder):
        return "409 conflict: it is not empty, and forceDestroy is off"
    names = {entry["id"], entry["outputs"].get("selfLink"), entry["outputs"].get("name"), entry["inputs"].get("name")}
    for kind, _, path in (each.partition(" ") for each in row.get("held", ())):
        for user in books.all():
            if user["type"] == kind and names.intersection(_texts(user["inputs"], path.split(">"))):
                return f"400 resourceInUseByAnotherResource: {kind} {user['name']} uses it"
    return ""


def _objects(folder: str) -> bool:
    root = os.environ.get("SLIPWAY_BUCKETS")
    return bool(root) and any(each.is_file() for each in (Path(root or ".") / folder).rglob("*"))


def _texts(value: Any, path: list[str]) -> Iterator[str]:
    """All texts at a place of nested objects and lists."""
    if isinstance(value, list):
        for each in value:
            yield from _texts(each, path)
    elif not path:
        yield str(value)
    elif isinstance(value, dict):
        yield from _texts(value.get(path[0]), path[1:])
