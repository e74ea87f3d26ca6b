"""The worked example on the real engine, with stand-ins for the clouds. In this order."""

import pytest

from slipway.simulator.compute import left_behind
from tests.engine.cloud import CloudStack
from tests.infra.gcp.stacks import IMAGE

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
    with CloudStack(tmp_path_factory.mktemp("gcp"), "gcp", IMAGE) as stack:
        yield stack


def test_the_example_comes_up_with_everything_accounted_for(stack):
    stack.up()
    assert stack.astray() == []
    copies = (stack.folder / "buckets").glob("*/models/*/sha256-*/manifest.json")
    assert sorted(each.parents[1].name for each in copies) == ["digits", "linear"]
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

    found = stack.planned(change)
    assert found["NodePool cpu-nodes"] == found["NodePool spot-nodes"] == "update"
    assert found["SecurityPolicy firewall"] == found["HorizontalPodAutoscaler digits"] == "update"
    assert {name for name, op in found.items() if op == "create"} == {"NodePool renamed-nodes"}
    assert {name for name, op in found.items() if op == "delete"} == {"NodePool steady-nodes"}
    assert {op for name, op in found.items() if name.split()[0] in LASTING} <= {"update"}


def test_a_pool_that_can_not_change_is_made_anew_before_the_old_one_goes(stack):
    found = stack.planned(lambda config: config["slipway:gcp"]["cluster"]["gpu"][1].update(driver="default"))
    assert found["NodePool steady-nodes"] in ("replace", "create-replacement", "delete-replaced")
    assert {name for name in found if not name.startswith("pulumi")} == {"NodePool steady-nodes", "ComputeClass order"}
    assert found["ComputeClass order"] == "update"


def test_what_somebody_changed_by_hand_is_seen(stack):
    said = stack.drifted("gcp:container/cluster:Cluster", {"enableShieldedNodes": False})
    assert said.startswith("Cluster cluster: changed: enableShieldedNodes\n")


def test_a_destroy_takes_the_load_balancer_first_and_leaves_the_key_alone(stack):
    (network,) = [each for each in stack.books.all() if each["type"] == "gcp:compute/network:Network"]
    for kind, name in (("networkEndpointGroups", "k8s1-0123-slipway-digits-3000"), ("firewalls", "gkegw1-0123-l7-x")):
        left_behind(stack.books, kind, name, network["id"], "example-project")
    order = stack.destroyed()
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
