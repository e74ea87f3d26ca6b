"""Drift is told by resource; forgotten environments are found; the workflows hold to their rules."""

import re
import subprocess
from datetime import UTC, datetime

import pytest
import yaml

from cli.drift import drifted
from cli.env import environment
from cli.environment import TEMPLATE, expired
from cli.home import home
from infra.config import ROOT, StackConfig

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
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
        {"op": "delete", "urn": URN + "-gone", "oldState": state},
    ]
    assert list(drifted(steps)) == [
        ("Vpc vpc", "changed", ["tags"]),
        ("Vpc vpc-silent", "changed", ["a"]),
        ("Vpc vpc-gone", "gone", []),
    ]


def test_only_idle_environments_of_pull_requests_are_swept():
    stacks = [
        {"name": "organization/slipway/pr-1", "lastUpdate": "2026-11-01T00:00:00.000Z"},
        {"name": "pr-2", "lastUpdate": "2026-11-20T00:00:00.000Z"},
        {"name": "pr-3", "lastUpdate": "2026-11-01T00:00:00.000Z", "updateInProgress": True},
        {"name": "production", "lastUpdate": "2026-01-01T00:00:00.000Z"},
        {"name": "pr-4", "lastUpdate": ""},
    ]
    assert expired(stacks, datetime(2026, 11, 18, tzinfo=UTC)) == ["pr-1"]


def test_the_template_of_an_environment_is_a_stack_that_can_be_used():
    content = yaml.safe_load(TEMPLATE.read_text().replace("{number}", "12"))["config"]
    config = StackConfig.parse(content)
    assert config.platform == "kubernetes"
    assert config.services["digits"].host == "digits-pr-12.ml.example.org"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_its_actions_and_asks_for_no_more_than_it_says_why(workflow):
    text = workflow.read_text()
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) and " # v" in comment for action, comment in used), used
    assert "pull_request_target" not in text
    content = yaml.safe_load(text)
    assert content["permissions"] in ({}, {"contents": "read"})
    for job in content["jobs"].values():
        assert job.get("timeout-minutes")
        writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        # What may write to the repository runs no code of it.
        assert writes <= {"id-token"} or not any("checkout" in str(step.get("uses")) for step in job["steps"])


def test_zizmor_finds_nothing_in_the_workflows_and_something_in_a_bad_one(tmp_path):
    zizmor = environment([ROOT / "tools" / "workflows.txt"], home() / "envs").parent / "zizmor"

    def check(path):
        return subprocess.run([zizmor, "--offline", "--no-progress", path], capture_output=True, text=True, timeout=60)

    clean = check(ROOT / ".github" / "workflows")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    bad = tmp_path / "bad.yml"
    bad.write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - uses: actions/checkout@v4\n      - run: echo ${{ github.event.pull_request.title }}\n"
    )
    found = check(bad)
    assert found.returncode != 0
    assert {"dangerous-triggers", "template-injection", "unpinned-uses"} <= set(
        re.findall(r"\[([a-z-]+)\]", found.stdout)
    )
