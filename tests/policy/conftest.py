"""Models that were judged: the smallest there is, in the store of whoever runs the tests."""

import shutil
import subprocess
import sys

import pytest
from slipway.infra.home import ROOT


def built(folder):
    subprocess.run(
        [sys.executable, "-m", "slipway.cli", "model", "build", str(folder)], cwd=ROOT, check=True, timeout=300
    )
    return folder


@pytest.fixture(scope="session")
def judged_model():
    """The folder of a model that is built, for CPUs. It needs no training."""
    return built(ROOT / "models" / "progression")


@pytest.fixture(scope="session")
def gpu_model(tmp_path_factory):
    """The same for NVIDIA's GPUs: accuracy is judged, speed is not."""
    folder = tmp_path_factory.mktemp("gpu") / "progression"
    shutil.copytree(ROOT / "models" / "progression", folder)
    with (folder / "model.yaml").open("a") as settings:
        settings.write("target: nvidia\n")
    return built(folder)


@pytest.fixture(scope="session")
def unjudged_model(tmp_path_factory):
    """One that nobody has built, whatever other tests have put into the store."""
    folder = tmp_path_factory.mktemp("unjudged") / "progression"
    shutil.copytree(ROOT / "models" / "progression", folder)
    (folder / "nobody").write_text("has built this\n")
    return folder
