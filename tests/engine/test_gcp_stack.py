"""The worked example on the real engine, with stand-ins for the clouds. In this order."""

import json

import pytest
import yaml

from infra.config import ROOT
from tests.infra.gcp.stacks import IMAGE
from tests.standins.throwaway import Throwaway

pytestmark = pytest.mark.engine

# What nothing but its own removal may ever replace.
LASTING = (
    "Cluster",
    "Network",
    "Subnetwork",
    "kubernetes",
    "CryptoKey",
    "Bucket",
    "Gateway",
    "Deployment",
    "Namespace",
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Throwaway(tmp_path_factory.mktemp("gcp"), ROOT, "gcp") as stack:
        # The images' own life is tests/engine/test_image.py's.
        edit(stack, lambda config: [service.update(image=IMAGE.format(name)) for name, service in services(config)])
        yield stack


def services(config):
    return list(config["slipway:services"].items())


def edit(stack, change):
    """Changes the stack's configuration; returns its text as it was."""
    file = stack.program / "Pulumi.gcp.yaml"
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
    assert len(held) > 80
    for kind in ("gcp:container/cluster:Cluster", "kubernetes:networking.gke.io/v1:GCPBackendPolicy"):
        assert kind in held


def test_other_counts_pools_and_rates_replace_nothing_that_lasts(stack):
    def change(config):
        config["slipway:gcp"]["cluster"]["cpu"]["max"] = 9
        config["slipway:gcp"]["cluster"]["gpu"][0]["max"] = 6
        config["slipway:gcp"]["cluster"]["gpu"][1]["name"] = "renamed"
        config["slipway:gcp"]["endpoint"]["rate"] = 4000
        config["slipway:services"]["digits"]["scale"] = {"min": 3, "max": 5}

    before = edit(stack, change)
    found = planned(stack)
    (stack.program / "Pulumi.gcp.yaml").write_text(before)
    assert found["NodePool cpu-nodes"] == found["NodePool spot-nodes"] == "update"
    assert found["SecurityPolicy firewall"] == found["HorizontalPodAutoscaler digits"] == "update"
    assert {name for name, op in found.items() if op == "create"} == {"NodePool renamed-nodes"}
    assert {name for name, op in found.items() if op == "delete"} == {"NodePool steady-nodes"}
    assert {op for name, op in found.items() if name.split()[0] in LASTING} <= {"update"}


def test_a_pool_that_can_not_change_is_made_anew_before_the_old_one_goes(stack):
    before = edit(stack, lambda config: config["slipway:gcp"]["cluster"]["gpu"][1].update(driver="latest"))
    found = planned(stack)
    (stack.program / "Pulumi.gcp.yaml").write_text(before)
    assert found["NodePool steady-nodes"] in ("replace", "create-replacement", "delete-replaced")
    assert {name for name in found if not name.startswith("pulumi")} == {"NodePool steady-nodes"}


def test_what_somebody_changed_by_hand_is_seen(stack):
    (cluster,) = [each for each in stack.books.all() if each["type"] == "gcp:container/cluster:Cluster"]
    drifted = {"enableShieldedNodes": False}
    stack.books.put(
        {**cluster, "inputs": {**cluster["inputs"], **drifted}, "outputs": {**cluster["outputs"], **drifted}}
    )
    said = stack.pulumi("refresh", "--stack", "gcp", "--diff", "--preview-only", "--expect-no-changes", fails=True)
    assert "cluster" in said and "enableShieldedNodes" in said
    stack.books.put(cluster)


def test_a_destroy_takes_the_load_balancer_first_and_leaves_the_key_alone(stack):
    said = stack.destroy()
    gone = [line.split() for line in said.splitlines() if " deleted" in line and line.lstrip().startswith("-")]
    order = {f"{words[1].rsplit(':', 1)[-1]} {words[2]}": at for at, words in enumerate(gone) if len(words) > 3}
    for service in ("digits", "linear"):
        assert order[f"HTTPRoute {service}"] < order[f"GCPBackendPolicy {service}"]
        assert order[f"HTTPRoute {service}"] < order[f"Deployment {service}"]
        assert order[f"HTTPRoute {service}"] < order["Gateway edge"]
    for kept_longer in ("GlobalAddress edge", "SSLPolicy edge", "SecurityPolicy firewall", "NodePool cpu-nodes"):
        assert order["Gateway edge"] < order[kept_longer]
    assert order["NodePool cpu-nodes"] < order["Cluster cluster"] < order["Network vpc"]
    # Google can delete neither.
    assert sorted(each["type"] for each in stack.books.all()) == [
        "gcp:kms/cryptoKey:CryptoKey",
        "gcp:kms/keyRing:KeyRing",
    ]
