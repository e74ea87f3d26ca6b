"""The commands: each loads, the names of the version before still work, and what one needs is all that it loads."""

import subprocess
import sys

import pytest
from click.testing import CliRunner
from slipway.infra.home import ROOT

from slipway.cli.main import COMMANDS, RENAMED, slipway


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    said = CliRunner().invoke(slipway, [name, "--help"])
    assert said.exit_code == 0 and said.output.startswith(f"Usage: slipway {name}")


@pytest.mark.parametrize(("old", "name"), RENAMED.items())
def test_a_renamed_command_answers_by_its_old_name_and_says_the_new_one(old, name):
    assert f"  {old} " not in CliRunner().invoke(slipway, ["--help"]).output
    said = CliRunner().invoke(slipway, [old, "--help"])
    assert said.exit_code == 0 and f"It is called {name} now" in " ".join(said.output.split())


def test_a_command_that_there_is_not_is_refused():
    assert CliRunner().invoke(slipway, ["enviroment"]).exit_code == 2


def test_describing_a_model_loads_neither_pulumi_nor_a_cloud_s_settings():
    code = (
        "import sys\nfrom slipway.cli.main import slipway\n"
        "slipway(['model', 'describe', 'models/linear', '--json'], standalone_mode=False)\n"
        "print([name for name in ('pulumi', 'numpy', 'slipway.infra.platforms.table') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
