"""The only Python file of the cases that knows the project's paths."""

import os
from pathlib import Path

from slipway.simulator.scenario import DEFAULT as SCENARIO
from slipway.simulator.scenario import Scenario
from slipway.simulator.throwaway import Throwaway
from tests.infra.aws import stacks as aws
from tests.infra.gcp import stacks as gcp
from tests.recorder import run_program

ROOT = Path(os.environ["P"])

__all__ = ["ROOT", "SCENARIO", "Scenario", "Throwaway", "aws", "gcp", "run_program"]
