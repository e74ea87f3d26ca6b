"""Faults on demand: what happens to the k-th create, update or delete."""

from __future__ import annotations

import itertools
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

import grpc

KINDS = {
    "fail": "refused before anything is done",
    "throttle": "refused as one request too many",
    "hang": "does its work and never answers",
    "die": "does its work, and the provider's process ends before it answers",
    "lost": "does its work, and the connection breaks before it answers",
    "expire": "from here on every operation is refused for expired credentials",
}
HANG = 600


class CloudError(Exception):
    """A refusal by the cloud; `code` decides what the engine makes of it."""

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`at`: the number of an operation, or a part of what it does, as a type or name: the first such is hit."""

    at: str
    kind: str

    @classmethod
    def parse(cls, text: str) -> Fault:
        """From `kind@k`, or `kind@AlertPolicy`, as SLIPWAY_FAULT has it."""
        kind, _, at = text.partition("@")
        return cls.load({"kind": kind, "at": at})

    @classmethod
    def load(cls, row: dict[str, Any]) -> Fault:
        if row["kind"] not in KINDS:
            raise ValueError(f"no fault is called {row['kind']!r}; there are {', '.join(KINDS)}")
        return cls(at=str(row["at"]), kind=row["kind"])


class Faults:
    """Counts operations from 1. `before` and `after` enclose the work of one."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        self._count = itertools.count(1)
        self._struck: set[Fault] = set()
        self._lock = threading.Lock()

    def before(self, what: str) -> str:
        """The kind of fault that is to come after the work, if any. Raises CloudError for one that comes before it."""
        with self._lock:
            k = next(self._count)
            hit = [fault for fault in self.faults if self._hits(fault, k, what)]
            self._struck.update(hit)
        if any(fault.kind == "expire" for fault in self._struck):
            raise CloudError(f"{what}: ExpiredToken: the security token included in the request is expired")
        kind = hit[0].kind if hit else ""
        if kind == "fail":
            raise CloudError(f"{what}: InternalFailure: stand-in fault at operation {k}")
        if kind == "throttle":
            raise CloudError(f"{what}: Throttling: Rate exceeded", grpc.StatusCode.RESOURCE_EXHAUSTED)
        return kind

    def _hits(self, fault: Fault, k: int, what: str) -> bool:
        return k == int(fault.at) if fault.at.isdecimal() else fault.at in what and fault not in self._struck

    def after(self, kind: str, what: str) -> None:
        if kind == "hang":
            time.sleep(HANG)
        elif kind == "die":
            os._exit(1)
        elif kind == "lost":
            raise CloudError(f"{what}: connection reset by peer", grpc.StatusCode.UNKNOWN)
