"""What the tests of the engine's tool share."""

import os
import sys

import pytest
from engine_doubles import TOOLS

sys.path[:0] = [str(TOOLS), str(TOOLS / "engine")]


@pytest.fixture
def machine(slipway_home, tmp_path, monkeypatch):
    """A machine with an empty cache, no Pulumi and no Go; its PATH is tmp_path/path and then the system's."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    # Port 9 refuses at once, as a machine does that can't reach Pulumi's hosts.
    monkeypatch.setenv("SLIPWAY_PULUMI_RELEASES", "http://127.0.0.1:9")
    return tmp_path
