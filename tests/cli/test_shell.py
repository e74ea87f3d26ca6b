"""Commands in a shell where nothing was set: they do what `make` does, and say what is missing."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from slipway.infra.home import ROOT

from slipway.cli.main import VERSION, slipway
from slipway.ops.preflight import ask
from slipway.ops.state import pulumi as pulumi_
from slipway.ops.state import settings
from slipway.simulator.web import web

DOUBLE = """\
#!{python}
import json, os
print(json.dumps({{key: value for key, value in os.environ.items() if key.startswith("PULUMI_")}}))
"""


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell without settings of Pulumi, and a double of its engine that prints those that it is given."""
    for name in [each for each in os.environ if each.startswith("PULUMI_")]:
        monkeypatch.delenv(name)
    engine = tmp_path / "bin"
    engine.mkdir()
    (engine / "pulumi").write_text(DOUBLE.format(python=sys.executable))
    (engine / "pulumi").chmod(0o755)
    monkeypatch.setattr(pulumi_, "ENGINE", engine)
    monkeypatch.setenv("PATH", str(tmp_path))
    return monkeypatch


def test_pulumi_gets_what_make_gives_it_and_the_public_passphrase_for_dev_alone(shell):
    given = json.loads(pulumi_.pulumi("stack", "output", "--stack", "dev"))
    assert given["PULUMI_BACKEND_URL"] == f"file://{ROOT}/.slipway/state" == settings.backend()
    assert given["PULUMI_CONFIG_PASSPHRASE"] == "slipway-dev"
    assert "PULUMI_CONFIG_PASSPHRASE" not in json.loads(pulumi_.pulumi("stack", "output", "--stack", "prod"))


def test_what_the_shell_sets_itself_goes_before(shell):
    shell.setenv("PULUMI_BACKEND_URL", "s3://states")
    shell.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "phrase")
    given = json.loads(pulumi_.pulumi("stack", "output", "--stack", "dev"))
    assert given["PULUMI_BACKEND_URL"] == "s3://states" == settings.backend()
    assert "PULUMI_CONFIG_PASSPHRASE" not in given


def test_outside_of_the_project_a_command_says_where_to_be(tmp_path):
    command = [sys.executable, "-m", "slipway.cli", "doctor"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "run this in the folder of the program" in done.stderr and "Traceback" not in done.stderr


def test_a_service_that_asks_for_a_key_is_told_of_without_one(shell):
    shell.delenv("SLIPWAY_KEY", raising=False)
    heard = []

    def status(path, body, headers):
        heard.append(headers)
        return 401, {}, {}

    with web({"/status": status}) as service:
        said = CliRunner().invoke(slipway, ["doctor", "--url", service.address]).output
    assert "it asks for a key: name one with --key-file or $SLIPWAY_KEY" in " ".join(said.split())
    assert "authorization" not in heard[0]


@pytest.mark.parametrize(
    ("content", "passphrase", "warned"),
    [
        ("config:\n  slipway:apiKeys: {a: {secure: v1:x}}\n", "slipway-dev", True),
        ("config:\n  slipway:apiKeys: {a: {secure: v1:x}}\n", "one of our own", False),
        ("config:\n  slipway:apiKeys: {a: {secure: v1:x}}\n", "", True),  # commands take dev's own where none is set
        ("config:\n  slipway:platform: local\n", "slipway-dev", False),
    ],
)
def test_secrets_under_the_passphrase_that_everybody_knows_are_warned_of(
    content, passphrase, warned, tmp_path, monkeypatch
):
    (tmp_path / "Pulumi.dev.yaml").write_text(content)
    monkeypatch.setattr(ask, "ROOT", tmp_path)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", passphrase)
    found = ask._secrets("dev")
    assert [outcome for outcome, _ in found] == (["warned"] if warned else [])
    assert not warned or "change-secrets-provider passphrase --stack dev" in found[0][1]


def test_the_version_is_told():
    assert CliRunner().invoke(slipway, ["--version"]).output.strip() == f"slipway, version {VERSION}"
