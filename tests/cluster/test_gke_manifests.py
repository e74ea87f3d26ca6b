"""Every manifest of every variant on Google Cloud before an API server with GKE's own definitions, at its strictest."""

import copy

import pytest
import yaml

from slipway.simulator.kube.api import ApiError
from tests.cluster.crds import definitions, installed, warned
from tests.infra.gcp.stacks import VARIANTS
from tests.recorder import run_program
from tests.workload.examples import manifests_of
from tests.workload.schemas import gke_definitions


@pytest.fixture(scope="module")
def variants():
    return {name: manifests_of(run_program(**make())) for name, make in VARIANTS.items()}


@pytest.fixture(scope="module")
def gke(api, variants):
    """With GKE's definitions, Gateway API's and the variants' namespaces; all of it goes afterwards."""
    googles = [yaml.safe_load(file.read_text()) for file in sorted(gke_definitions().glob("*.yaml"))]
    gateways = [each for each in definitions() if each["spec"]["group"].startswith("gateway.")]
    spaces = {each["metadata"]["name"]: each for found in variants.values() for each in found if is_space(each)}
    with installed(api, [*googles, *gateways], [*spaces.values()], 60) as api:
        yield api


def is_space(each):
    return each["kind"] == "Namespace"


@pytest.mark.parametrize("name", VARIANTS)
def test_the_server_takes_every_object_strictly_and_without_a_warning(name, gke, variants):
    # Of ComputeClass nobody here has the definition.
    found = [each for each in variants[name] if not is_space(each) and each["kind"] != "ComputeClass"]
    assert warned(gke, found) == {}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("HealthCheckPolicy", lambda spec: spec["default"]["config"]["httpHealthCheck"].pop("portSpecification")),
        ("GCPBackendPolicy", lambda spec: spec["default"].update(timeout=3)),
        ("PodMonitoring", lambda spec: spec["endpoints"][0].pop("port")),
        ("Gateway", lambda spec: spec["listeners"][0].update(tsl={})),
    ],
)
def test_the_server_refuses_the_bad_twin(kind, change, gke, variants):
    bad = copy.deepcopy(next(each for each in variants["example"] if each["kind"] == kind))
    change(bad["spec"])
    with pytest.raises(ApiError):
        gke.strict(bad)
