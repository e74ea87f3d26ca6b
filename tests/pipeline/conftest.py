"""Probes: programs that run in an environment of their own and print what they saw as JSON."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from slipway.infra.home import ROOT, home
from slipway.service.http.app import App
from slipway.service.http.self_test import prove
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings

from slipway.ops.models.virtualenvs import environment


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """Runs probes/<name>.py in a lock file's environment, with an empty folder, more arguments and no cloud's settings;
    what it saw."""

    def probe(name: str, lock: str, *arguments: str):
        python = environment([ROOT / lock], home() / "envs")
        # No script: child processes would import that, and with it the framework.
        run = f"import sys, pathlib, tests.pipeline.probes.{name} as probe; "
        run += "probe.main(pathlib.Path(sys.argv[1]), *sys.argv[2:])"
        command = [python, "-c", run, tmp_path_factory.mktemp(name), *arguments]
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_"))}
        variables |= {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return probe


@pytest.fixture(scope="session")
def odd_graphs(probe):
    """How the builds of some odd graphs ended, by name; of all, where none is named."""
    service = json.dumps([sys.executable, "-m", "slipway.service"])
    return lambda names: probe("odd_graphs", "slipway/pipeline/requirements.txt", service, *names)


@pytest.fixture(scope="session")
def served_right():
    """Raises ArtifactError where the service does not start on an artifact, or answers its example otherwise."""

    def served_right(artifact: str) -> None:
        model = load_model(Path(artifact))
        asyncio.run(prove(App(model, Settings(access="open")), model))

    return served_right
