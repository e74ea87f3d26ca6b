"""What every variant gives its cluster, before the schemas of Kubernetes and GKE's own definitions."""

import copy

from tests.infra.gcp.stacks import VARIANTS
from tests.workload.examples import manifests_of
from tests.workload.schemas import defined, gke_definitions, validated

GOOGLES = ("networking.gke.io", "monitoring.googleapis.com")
# Of neither here: the API server checks the first (tests/cluster), and of the second nobody here has the definition.
OTHERS = ("gateway.networking.k8s.io", "cloud.google.com")


def googles(variant):
    every = [each for name in VARIANTS for each in manifests_of(variant(name))]
    return [each for each in every if each["apiVersion"].startswith(GOOGLES)]


def test_the_schemas_of_kubernetes_take_every_object_of_every_variant(variant, tmp_path):
    own = [
        each
        for name in VARIANTS
        for each in manifests_of(variant(name))
        if not each["apiVersion"].startswith((*GOOGLES, *OTHERS))
    ]
    assert len(own) > 40
    assert validated(own, "1.35", tmp_path) == ""


def test_gkes_definitions_take_every_object_of_every_variant(variant):
    found = googles(variant)
    kinds = {each["kind"] for each in found}
    assert kinds >= {"HealthCheckPolicy", "GCPBackendPolicy", "GCPGatewayPolicy", "PodMonitoring", "Rules"}
    assert defined(found, gke_definitions()) == []


BAD = {
    "HealthCheckPolicy": (lambda spec: spec["default"]["config"]["httpHealthCheck"].pop("portSpecification"),
                          "USE_SERVING_PORT"),
    "GCPBackendPolicy": (lambda spec: spec["default"].update(timeout=3), "timeout"),
    "GCPGatewayPolicy": (lambda spec: spec["default"].update(sslPolicy=["edge"]), "sslPolicy"),
    "PodMonitoring": (lambda spec: spec["endpoints"][0].pop("port"), "port"),
    "Rules": (lambda spec: spec["groups"][0]["rules"][0].update(alert="Both"), "rules[0]"),
}  # fmt: skip


def test_gkes_definitions_refuse_the_bad_twin_of_each_kind(variant):
    twins = []
    for kind, (change, _) in BAD.items():
        twins.append(copy.deepcopy(next(each for each in googles(variant) if each["kind"] == kind)))
        change(twins[-1]["spec"])
    said = defined(twins, gke_definitions())
    for kind, (_, named) in BAD.items():
        assert any(each.startswith(kind) and named in each for each in said), (kind, said)
