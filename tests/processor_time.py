"""What each folder of tests costs: seconds of processor time, of the tests and of the processes they waited for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

SPENT: Counter[str] = Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = sum(os.times()[:4])
    try:
        return (yield)
    finally:
        SPENT["/".join(item.nodeid.split("::")[0].split("/")[:-1])] += sum(os.times()[:4]) - before


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its figures to the process that shows them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["processor_time"] = dict(SPENT)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    SPENT.update(node.workeroutput.get("processor_time", {}) if hasattr(node, "workeroutput") else {})


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("seconds of processor time")
    for folder, seconds in SPENT.most_common():
        terminalreporter.line(f"{seconds:8.1f}  {folder}")
    terminalreporter.line(f"{sum(SPENT.values()):8.1f}  all")
