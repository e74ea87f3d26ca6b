"""Fixtures that more than one folder of tests uses."""

import os
import shutil
import signal
import socket

import pytest
from slipway.infra.home import ROOT


@pytest.fixture
def anyio_backend():
    """The loop that tests which are coroutines run on."""
    return "asyncio"


@pytest.fixture
def slipway_home(tmp_path, monkeypatch):
    """A cache root of this test's own."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pytest_configure():
    """A shell's background jobs start with SIGINT ignored, and so would all that the tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Without an engine its tests are skipped, aloud; `make test` has put one there and tolerates no skip."""
    path = os.pathsep.join([str(ROOT / ".slipway" / "bin"), os.environ["PATH"]])
    if shutil.which("pulumi", path=path) or "SLIPWAY_NEEDS_ENGINE" in os.environ:
        return
    for item in items:
        if item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.skip(reason="no pulumi on PATH: `make setup` brings one"))
