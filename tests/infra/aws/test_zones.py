"""Zones are chosen once, by what the account calls them, and stay whatever AWS offers later."""

import json

import pytest

from slipway.simulator.scenario import Scenario
from tests.infra.aws import stacks
from tests.recorder import Recorder, run_program

OFFER = "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings"
ZONES = "aws:index/getAvailabilityZones:getAvailabilityZones"


def pool(**change):
    return {"name": "steady", "capacity": "on-demand", "instances": ["g6.xlarge"], "max": 2, **change}


def with_pools(*pools, **network):
    return stacks.stack(
        cluster={"deployer": stacks.DEPLOYER, "allow": ["203.0.113.7/32"], "gpu": [*pools]},
        network=network,
        services={"digits": {"model": "models/digits", "image": stacks.IMAGE.format("digits")}},
    )


@pytest.fixture
def cloud(monkeypatch):
    """Offers GPUs in the zones that it is given, and remembers the last update."""

    def run(config, *offered):
        answer = Scenario.answer

        def offering(self, token, args):
            found = answer(self, token, args)
            if token == OFFER:
                found |= {"instanceTypes": ["g6.xlarge"] * len(offered), "locations": [*offered]}
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Scenario, "answer", offering)
            program = run_program(**config)
        (kept,) = program.of_type("pulumi-python:dynamic/slipway:Choices")
        record = {"urn": {"type": kept.typ, "outputs": {"made": kept.inputs["made"]}}}
        monkeypatch.setattr(Recorder, "recorded", record)
        return program

    return run


def zones_of(program):
    subnets = {each.inputs["availabilityZone"] for each in program.of_type("Subnet")}
    (spec,) = (each.inputs["spec"] for each in program.of_type("NodePool"))
    wanted = {each["key"]: each["values"] for each in spec["template"]["spec"]["requirements"]}
    return sorted(subnets), wanted["topology.kubernetes.io/zone"]


def test_another_offer_moves_nothing_and_another_configuration_what_it_names(cloud):
    a, b, d = (f"us-east-1{letter}" for letter in "abd")
    assert zones_of(cloud(with_pools(pool()), d)) == ([a, b, d], [d])
    assert zones_of(cloud(with_pools(pool(max=3)), a, b, d)) == ([a, b, d], [d])
    assert zones_of(cloud(with_pools(pool(instances=["g6.xlarge", "g6.2xlarge"])), a, b)) == ([a, b, d], [a, b])
    assert zones_of(cloud(with_pools(pool(), zones=[a, b]), a)) == ([a, b], [a])


def test_no_subnet_is_where_eks_puts_no_control_plane(cloud):
    """The scenario's account calls use1-az3 us-east-1c; a GPU there is no reason."""
    subnets, _ = zones_of(cloud(with_pools(pool()), "us-east-1c", "us-east-1d"))
    assert subnets == ["us-east-1a", "us-east-1b", "us-east-1d"]


def test_what_is_remembered_is_what_was_asked_and_answered(cloud):
    (kept,) = cloud(with_pools(pool()), "us-east-1a").of_type("pulumi-python:dynamic/slipway:Choices")
    made = json.loads(kept.inputs["made"])
    assert made["zones"]["value"] == ["us-east-1a", "us-east-1b", "us-east-1d"]
    assert made["zones of steady"] == {
        "asked": {"instances": ["g6.xlarge"], "zones": made["zones"]["value"]}, "value": ["us-east-1a"],
    }  # fmt: skip
