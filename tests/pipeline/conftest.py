"""Probes: programs that run in an environment of their own and print what they saw as JSON."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from slipway.infra.home import ROOT, home

from slipway.ops.models.virtualenvs import environment

PROBES = Path(__file__).parent / "probes"


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """Runs probes/<name>.py in a lock file's environment, with an empty folder and no cloud's settings; what it saw."""

    def probe(name: str, lock: str):
        python = environment([ROOT / lock], home() / "envs")
        command = [python, PROBES / f"{name}.py", tmp_path_factory.mktemp(name)]
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_"))}
        variables |= {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return probe
