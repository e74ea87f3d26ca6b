"""A model that was judged: the smallest there is, in the store of whoever runs the tests."""

import subprocess
import sys

import pytest

from infra.config import ROOT


@pytest.fixture(scope="session")
def judged_model():
    """The folder of a model that is built. It needs no training."""
    folder = ROOT / "models" / "progression"
    subprocess.run([sys.executable, "-m", "cli", "model", "build", str(folder)], cwd=ROOT, check=True, timeout=300)
    return folder
