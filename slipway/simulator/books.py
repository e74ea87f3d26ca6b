"""A stand-in cloud's own books: what exists in it, whatever the engine's state says."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, TypedDict


class Entry(TypedDict):
    """One thing in the cloud. `imports`: the id that an import takes; `identity`: what makes it unique, if anything."""

    type: str
    id: str
    imports: str
    identity: str
    name: str
    arn: str
    tags: dict[str, str]
    inputs: dict[str, Any]
    outputs: dict[str, Any]


class Books:
    """The things of one throw-away cloud, in a JSON file that tests may read and edit at any time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lock = threading.RLock()

    def all(self) -> list[Entry]:
        return json.loads(self.file.read_text()) if self.file.exists() else []

    def find(self, kind: str, id_: str) -> Entry | None:
        """By its id, or by the other form that an import takes."""
        return next(
            (each for each in self.all() if each["type"] == kind and id_ in (each["id"], each["imports"])), None
        )

    def twin(self, entry: Entry) -> Entry | None:
        """What is already there under the same identity."""
        same = (each for each in self.all() if each["type"] == entry["type"] and each["identity"] == entry["identity"])
        return next(same, None) if entry["identity"] else None

    def put(self, entry: Entry) -> None:
        """Adds it, or writes it anew under its id."""
        with self.lock:
            key = (entry["type"], entry["id"])
            self._write([*(each for each in self.all() if (each["type"], each["id"]) != key), entry])

    def remove(self, kind: str, id_: str) -> None:
        """Nothing happens where it is gone already."""
        with self.lock:
            self._write([each for each in self.all() if (each["type"], each["id"]) != (kind, id_)])

    def _write(self, entries: list[Entry]) -> None:
        """Whole or not at all, as the process may be killed at any moment."""
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(json.dumps(entries, indent=1))
        fresh.replace(self.file)
