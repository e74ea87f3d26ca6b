"""The simulator's example programs, under mocks."""

import pytest
import yaml

from slipway.simulator.throwaway import EXAMPLES
from tests.recorder import run_program


@pytest.fixture(scope="session")
def examples():
    ran = {}
    for name in ("aws", "gcp"):
        settings = yaml.safe_load((EXAMPLES / name / "Pulumi.example.yaml").read_text())["config"]
        ran[name] = run_program(program=EXAMPLES / name / "__main__.py", settings=settings)
    return ran
