"""The simulator's example programs, under mocks."""

import pytest
import yaml

from tests.recorder import run_program
from tests.standins.throwaway import EXAMPLES


@pytest.fixture(scope="session")
def examples():
    ran = {}
    for name in ("aws", "gcp"):
        settings = yaml.safe_load((EXAMPLES / name / "Pulumi.example.yaml").read_text())["config"]
        ran[name] = run_program(program=EXAMPLES / name / "__main__.py", settings=settings)
    return ran
