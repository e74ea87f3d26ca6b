"""The worked example on the real engine, with stand-ins for the clouds. In this order."""

import json

import pytest
import yaml

from infra.config import ROOT
from tests.infra.aws.stacks import IMAGE
from tests.standins.throwaway import Throwaway

pytestmark = pytest.mark.engine

# What nothing but its own removal may ever replace.
LASTING = ("Cluster", "Vpc", "Subnet", "kubernetes", "Key", "Bucket", "LoadBalancer", "Deployment", "Namespace")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Throwaway(tmp_path_factory.mktemp("aws"), ROOT, "aws") as stack:
        # The images' own life is tests/engine/test_image.py's.
        edit(stack, lambda config: [service.update(image=IMAGE.format(name)) for name, service in services(config)])
        yield stack


def services(config):
    return list(config["slipway:services"].items())


def edit(stack, change):
    """Changes the stack's configuration; returns its text as it was."""
    file = stack.program / "Pulumi.aws.yaml"
    before = file.read_text()
    content = yaml.safe_load(before)
    change(content["config"])
    file.write_text(yaml.safe_dump(content))
    return before


def planned(stack):
    """{`Kind name`: operation} of a preview, but for what stays."""
    said = stack.pulumi("preview", "--stack", stack.stack, "--json")
    steps = json.loads(said[said.index("{") :])["steps"]
    return {
        f"{each['urn'].split('::')[-2].split(':')[-1]} {each['urn'].split('::')[-1]}": each["op"]
        for each in steps
        if each["op"] not in ("same", "read", "refresh")
    }


def test_the_example_comes_up_with_everything_accounted_for(stack):
    stack.up()
    assert stack.astray() == []
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

    before = edit(stack, change)
    found = planned(stack)
    (stack.program / "Pulumi.aws.yaml").write_text(before)
    assert found["NodePool spot"] == found["Cluster cluster"] == found["HorizontalPodAutoscaler digits"] == "update"
    assert {name for name, op in found.items() if op == "create"} == {"NodePool renamed", "NodeClass renamed"}
    assert {name for name, op in found.items() if op == "delete"} == {"NodePool steady", "NodeClass steady"}
    assert {op for name, op in found.items() if name.split()[0] in LASTING} == {"update"}


def test_what_somebody_changed_by_hand_is_seen(stack):
    (cluster,) = [each for each in stack.books.all() if each["type"] == "aws:eks/cluster:Cluster"]
    drifted = {"deletionProtection": True}
    stack.books.put(
        {**cluster, "inputs": {**cluster["inputs"], **drifted}, "outputs": {**cluster["outputs"], **drifted}}
    )
    said = stack.pulumi("refresh", "--stack", "aws", "--diff", "--preview-only", "--expect-no-changes", fails=True)
    assert "cluster" in said and "deletionProtection" in said
    stack.books.put(cluster)


def test_a_sweep_finds_all_that_is_tagged_while_it_is_there(stack, monkeypatch):
    """Asked of the stand-in's tagging API, through the engine."""
    from cli.adopt import tagged_resources

    monkeypatch.chdir(stack.program)
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    found = tagged_resources("slipway/aws", {"region": "eu-central-1"})
    held = [each for each in stack.books.all() if each["arn"] and each["tags"]]
    assert len(found) == len(held) > 40
    assert tagged_resources("slipway/other", {"region": "eu-central-1"}) == []


def test_a_destroy_releases_pods_from_load_balancers_first_and_leaves_nothing(stack):
    said = stack.destroy()
    gone = [line.split() for line in said.splitlines() if " deleted" in line and line.lstrip().startswith("-")]
    order = {f"{words[1].rsplit(':', 1)[-1]} {words[2]}": at for at, words in enumerate(gone) if len(words) > 3}
    for service in ("digits", "linear"):
        binding = order[f"TargetGroupBinding {service}"]
        assert binding < order[f"TargetGroup {service}"]
        assert binding < order[f"Deployment {service}"]
        assert binding < order["AccessPolicyAssociation slipway-deploy"] < order["Cluster cluster"]
    assert order["LoadBalancer edge"] < order["Vpc vpc"] and order["NodePool spot"] < order["Cluster cluster"]
    assert stack.books.all() == []
