"""Fixtures that more than one folder of tests uses."""

import socket

import pytest


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
