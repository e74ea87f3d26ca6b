"""Drift is told by resource; forgotten environments are found."""

import json
from datetime import UTC, datetime

import pytest
import yaml
from click.testing import CliRunner
from slipway.infra.config.stack import StackConfig

import slipway.cli.pr_stack
from slipway.cli.pr_stack import pr_stack
from slipway.ops.pr_stacks import TEMPLATE, expired
from slipway.ops.state.drift import drifted
from slipway.simulator.scenario import DEFAULT
from slipway.simulator.throwaway import Throwaway, written

URN = "urn:pulumi:s::p::aws:ec2/vpc:Vpc::vpc"


def test_what_was_changed_or_taken_away_is_drift_and_nothing_else():
    state = {"inputs": {"a": 1}}
    steps = [
        {"op": "same", "urn": URN + "-same", "oldState": state, "newState": state},
        {"op": "refresh", "urn": URN + "-read", "oldState": state, "newState": state},
        {
            "op": "update",
            "urn": URN,
            "detailedDiff": {"tags.a": {}, "tags.b": {}},
            "oldState": state,
            "newState": state,
        },
        {"op": "refresh", "urn": URN + "-silent", "oldState": state, "newState": {"inputs": {"a": 2}}},
        {
            "op": "refresh",
            "urn": URN + "-emptied",
            "oldState": {"inputs": {"spec": {"env": [{"name": "A", "value": ""}], "labels": {}}}},
            "newState": {"inputs": {"spec": {"env": [{"name": "A"}]}}},
        },
        {"op": "delete", "urn": URN + "-gone", "oldState": state},
    ]
    assert list(drifted(steps)) == [
        ("Vpc vpc", "changed", ["tags"]),
        ("Vpc vpc-silent", "changed", ["a"]),
        ("Vpc vpc-gone", "gone", []),
    ]


OBJECTS = """
import pulumi
import pulumi_kubernetes as k8s

inside = pulumi.ResourceOptions(provider=k8s.Provider("cluster", kubeconfig="{}"))
k8s.core.v1.Secret("key", metadata={"name": "key"}, string_data={"a": "b"}, opts=inside)
k8s.core.v1.ConfigMap("settings", metadata={"name": "settings"}, data={"a": "b"}, opts=inside)
"""


@pytest.mark.engine
def test_a_caller_that_may_read_no_secret_previews_and_finds_the_drift_of_all_else(tmp_path):
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(DEFAULT.read_text())
    with Throwaway(tmp_path / "stack", written(tmp_path / "source", OBJECTS), scenario=scenario) as stack:
        stack.up()
        scenario.write_text(DEFAULT.read_text().replace("unreadable: []", "unreadable: ['kubernetes:core/v1:Secret']"))
        stack.start()
        (held,) = [each for each in stack.books.all() if each["type"].endswith("ConfigMap")]
        other = {"data": {"a": "c"}}
        stack.books.put({**held, "inputs": {**held["inputs"], **other}, "outputs": {**held["outputs"], **other}})
        assert "ConfigMap settings: changed: data\nNot looked at: Secrets" in stack.slipway("drift", fails=True)
        assert "Secret default/key Forbidden" in stack.slipway("drift", "--all", fails=True)
        assert "4 unchanged" in stack.preview("--refresh=false")
        assert "Secret default/key Forbidden" in stack.preview("--refresh", fails=True)


def test_only_idle_environments_of_pull_requests_are_swept():
    stacks = [
        {"name": "organization/slipway/pr-1", "lastUpdate": "2026-11-01T00:00:00.000Z"},
        {"name": "pr-2", "lastUpdate": "2026-11-20T00:00:00.000Z"},
        {"name": "pr-3", "lastUpdate": "2026-11-01T00:00:00.000Z", "updateInProgress": True},
        {"name": "production", "lastUpdate": "2026-01-01T00:00:00.000Z"},
        {"name": "pr-4", "lastUpdate": ""},
    ]
    assert expired(stacks, datetime(2026, 11, 18, tzinfo=UTC)) == ["pr-1"]


@pytest.mark.engine
def test_the_sweep_takes_down_a_forgotten_environment_without_its_file_which_went_with_the_runner(
    tmp_path, monkeypatch
):
    code = "import pulumi_aws as aws\naws.ec2.Vpc('vpc', cidr_block='10.0.0.0/16')\n"
    program = written(tmp_path / "source", code, "pr-7")
    with Throwaway(tmp_path / "stack", program, "pr-7") as stack:
        stack.up()
        (stack.program / "Pulumi.pr-7.yaml").unlink()
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(stack.program)
        # As if it had been idle for three days.
        monkeypatch.setattr(slipway.cli.pr_stack, "expired", lambda stacks, before: expired(stacks, datetime.now(UTC)))
        swept = CliRunner().invoke(pr_stack, ["sweep", "--hours", "72"])
        assert swept.exit_code == 0, swept.output
        assert stack.books.all() == []
        assert json.loads(stack.pulumi("stack", "ls", "--json")) == []


def test_the_template_of_an_environment_is_a_stack_that_can_be_used():
    content = yaml.safe_load(TEMPLATE.read_text().replace("{number}", "12"))["config"]
    config = StackConfig.parse(content)
    assert config.platform == "kubernetes"
    assert config.services["digits"].host == "digits-pr-12.ml.example.org"
