"""The worked example on the real engine, with stand-ins for the clouds. In this order."""

import pytest

from tests.engine.cloud import CloudStack
from tests.infra.aws.stacks import IMAGE

pytestmark = pytest.mark.engine

# What nothing but its own removal may ever replace.
LASTING = ("Cluster", "Vpc", "Subnet", "kubernetes", "Key", "Bucket", "LoadBalancer", "Deployment", "Namespace")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with CloudStack(tmp_path_factory.mktemp("aws"), "aws", IMAGE) as stack:
        yield stack


def test_the_example_comes_up_with_everything_accounted_for(stack):
    stack.up()
    assert stack.astray() == []
    copies = (stack.folder / "buckets").glob("*/models/*/sha256-*/manifest.json")
    assert sorted(each.parents[1].name for each in copies) == ["digits", "linear"]
    held = [each["type"] for each in stack.books.all()]
    assert len(held) > 120
    for kind in ("aws:eks/cluster:Cluster", "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding"):
        assert kind in held


def test_other_counts_pools_and_rates_replace_nothing_that_lasts(stack):
    def change(config):
        config["slipway:aws"]["cluster"]["gpu"][0]["max"] = 6
        config["slipway:aws"]["cluster"]["gpu"][1]["name"] = "renamed"
        config["slipway:aws"]["cluster"]["allow"].append("203.0.113.8/32")
        config["slipway:services"]["digits"]["scale"] = {"min": 3, "max": 5}

    found = stack.planned(change)
    assert found["NodePool spot"] == found["Cluster cluster"] == found["HorizontalPodAutoscaler digits"] == "update"
    assert {name for name, op in found.items() if op == "create"} == {"NodePool renamed", "NodeClass renamed"}
    assert {name for name, op in found.items() if op == "delete"} == {"NodePool steady", "NodeClass steady"}
    assert {op for name, op in found.items() if name.split()[0] in LASTING} == {"update"}


def test_what_somebody_changed_by_hand_is_seen(stack):
    said = stack.drifted("aws:eks/cluster:Cluster", {"deletionProtection": True})
    assert said.startswith("Cluster cluster: changed: deletionProtection\n")


def test_a_sweep_finds_all_that_is_tagged_while_it_is_there(stack, monkeypatch):
    """Asked of the stand-in's tagging API, through the engine."""
    from slipway.infra.platforms.aws.row import AWS

    from slipway.ops.state.tagged import tagged_resources

    monkeypatch.chdir(stack.program)
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    found = tagged_resources("slipway/aws", {"region": "us-east-1"}, AWS.cloud)
    held = [each for each in stack.books.all() if each["arn"] and each["tags"]]
    assert len(found) == len(held) > 40
    assert tagged_resources("slipway/other", {"region": "us-east-1"}, AWS.cloud) == []


def test_a_destroy_releases_pods_from_load_balancers_first_and_leaves_nothing(stack):
    order = stack.destroyed()
    for service in ("digits", "linear"):
        binding = order[f"TargetGroupBinding {service}"]
        assert binding < order[f"TargetGroup {service}"]
        assert binding < order[f"Deployment {service}"]
        assert binding < order["AccessPolicyAssociation slipway-deploy"] < order["Cluster cluster"]
    assert order["LoadBalancer edge"] < order["Vpc vpc"] and order["NodePool spot"] < order["Cluster cluster"]
    assert stack.books.all() == []
