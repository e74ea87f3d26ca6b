"""What each folder of tests costs, and each file of those on the cluster: seconds of processor time, of the tests and
of the processes that they waited for, and seconds on the clock."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

SPENT: Counter[str] = Counter()
TOOK: Counter[str] = Counter()
BY_FILE = "tests/cluster"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before, started = sum(os.times()[:4]), time.monotonic()
    try:
        return (yield)
    finally:
        file = item.nodeid.split("::")[0]
        folder = file.rpartition("/")[0]
        where = file if folder == BY_FILE else folder
        SPENT[where] += sum(os.times()[:4]) - before
        TOOK[where] += time.monotonic() - started


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its figures to the process that shows them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["processor_time"] = dict(SPENT)
        session.config.workeroutput["clock_time"] = dict(TOOK)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    SPENT.update(output.get("processor_time", {}))
    TOOK.update(output.get("clock_time", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("seconds of processor time, and on the clock")
    for where, seconds in SPENT.most_common():
        terminalreporter.line(f"{seconds:8.1f} {TOOK[where]:8.1f}  {where}")
    terminalreporter.line(f"{sum(SPENT.values()):8.1f} {sum(TOOK.values()):8.1f}  all")
