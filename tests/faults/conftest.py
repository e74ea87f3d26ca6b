"""The faults of tests/service in earnest: `pytest tests/faults`. They take most of an hour, so nothing else runs them.

What was found is written to docs/faults.md: a line for each fault, replaced when it is committed again.
"""

import datetime
import json
import os
import platform
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.service.conftest import ROOT, access_file, artifacts, counters, listener, peers, start

__all__ = ["access_file", "artifacts", "counters", "listener", "peers", "start"]

DOCUMENT = ROOT / "docs" / "faults.md"
HEAD = """# Faults and abuse, committed in earnest

`make test-faults` writes this page: one server process on one core's worth of work, all clients on the same machine.
The small forms of the same run in `make test`.

| fault | how | found | when |
|---|---|---|---|
"""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """They are collected only when asked for by path."""
    return None if any("faults" in argument for argument in config.args) else True


@pytest.fixture(scope="session")
def found() -> Callable[[str, str, str], None]:
    """Notes a row: which fault, how it was committed, what was found."""
    rows: dict[str, str] = {}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()

    def note(fault: str, how: str, result: str) -> None:
        rows[fault] = f"| {fault} | {how} | {result} | {today} |"
        _write(rows)

    return note


def minutes(default: float) -> float:
    """How long the soak takes; SLIPWAY_SOAK_MINUTES changes it."""
    return float(os.environ.get("SLIPWAY_SOAK_MINUTES", default))


def _write(new: dict[str, str]) -> None:
    text = DOCUMENT.read_text() if DOCUMENT.exists() else HEAD
    rows = {line.split(" | ")[0].lstrip("| "): line for line in text.splitlines() if re.match(r"\| [A-Z]", line)}
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("onnxruntime", "uvicorn", "uvloop", "httptools", "numpy")
    )
    cores = f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}"
    lines = [line for _, line in sorted((rows | new).items())]
    DOCUMENT.write_text(HEAD + "\n".join(lines) + f"\n\nMeasured with {cores}.\n")


def port_of(worker: object) -> int:
    return int(worker.url.rpartition(":")[2])  # type: ignore[attr-defined]


def asked(inputs: dict[str, list]) -> bytes:
    return json.dumps({"inputs": inputs}).encode()
