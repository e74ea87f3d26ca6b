"""The variants of the Google Cloud stack under mocks, each run once."""

import pytest

from tests.infra.gcp.stacks import VARIANTS
from tests.recorder import run_program


@pytest.fixture(scope="session")
def variant():
    ran = {}

    def run(name):
        if name not in ran:
            ran[name] = run_program(**VARIANTS[name]())
        return ran[name]

    return run
