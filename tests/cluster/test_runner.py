"""The steps of the jobs that change nothing, on a machine like GitHub's runners: a fresh checkout, and nothing else.

It installs all packages anew, so it is for `make test-cluster-full`."""

import os
import subprocess

import pytest
import yaml

from tests.cluster import runner as runners
from tests.cluster.cache import Unfit
from tests.cluster.conftest import cant
from tests.cluster.dockerd import free_port
from tests.workflow_steps import JOBS, Step, steps

pytestmark = pytest.mark.skipif("SLIPWAY_FULL" not in os.environ, reason="make test-cluster-full")
STACK = "reviewed"
SECONDS = 3600.0


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    if os.geteuid():
        cant("a root of its own needs root")
    try:
        with runners.runner(tmp_path_factory.mktemp("runner")) as runner:
            yield runner
    except Unfit as error:
        cant(str(error))


@pytest.fixture(scope="module")
def values(runner):
    """Of GitHub's expressions: a stack of one service on the runner itself, in place of one in a cloud."""
    service = {"model": "models/progression", "port": free_port(), "metricsPort": free_port()}
    config = {"slipway:platform": "local", "slipway:services": {"progression": service}}
    file = runner.within(runner.checkout) / f"Pulumi.{STACK}.yaml"
    file.write_text(yaml.safe_dump({"config": config}))
    for name in ("state", "store"):
        runner.within(runner.home / name).mkdir()
    subprocess.run(["chown", "-R", f"{runners.USER}:{runners.USER}", runner.within(runner.home)], check=True)
    return {
        "vars.SLIPWAY_STACK": STACK,
        "vars.PULUMI_BACKEND_URL": f"file://{runner.home}/state",
        "vars.SLIPWAY_STORE": f"file://{runner.home}/store",
        "secrets.PULUMI_CONFIG_PASSPHRASE": "of-the-runner",
        "github.server_url": "https://github.example.org",
        "github.repository": "example/models",
        "github.run_id": "1",
    }


def test_the_steps_of_check_preview_and_drift_run_on_a_runner(runner, values):
    listed = [step for workflow, job in JOBS for step in steps(workflow, job, values) if step.script]
    drift = [each for each in listed if each.job == "drift.drift"]
    # What was deployed before anybody reviews anything.
    up = Step(job="before", what="make up", script=f"make up STACK={STACK}", shell=("bash", "-e"),
              environment=drift[-1].environment)  # fmt: skip
    found = runner.run([up, *listed], SECONDS)
    failed = {name: said[-3000:] for name, (status, said) in found.items() if status}
    assert not failed
    assert list(found) == [f"{each.job}: {each.what}" for each in (up, *listed)]
    comment = (runner.within(runner.checkout) / "out" / "comment.md").read_text()
    assert STACK in comment and "progression" in comment
