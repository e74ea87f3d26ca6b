"""Drift is told by resource; forgotten environments are found."""

from datetime import UTC, datetime

import yaml

from cli.drift import drifted
from cli.environment import TEMPLATE, expired
from infra.config import StackConfig

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
