"""Requests in flight move the number of pods: KEDA's query of a real Prometheus, whose scrape configuration the
operator wrote and which scrapes the pods in the cluster. All of it is from the objects that the stack declares; KEDA
itself is a double. On CPU they do in test_served.py.
"""

import json
import os
import time

import pytest

from slipway.simulator.kube.api import Ref
from tests.cluster import keda, places
from tests.cluster.crds import definitions, installed
from tests.cluster.load import Load, post
from tests.cluster.served import KEY, Served, address
from tests.cluster.watching import asked, scrape_of
from tests.waiting import until

pytestmark = pytest.mark.skipif("SLIPWAY_FULL" not in os.environ, reason="make test-cluster-full")
SPACE = "inflight"
SCALE = {"min": 1, "max": 3, "on": "inflight", "target": 3, "downSeconds": 5}
RATE, PAUSE = 4, 2.0  # requests a second, and how long each is in flight: eight at any time, for which two pods are few


@pytest.fixture(scope="module")
def scaled(api, ports, tmp_path_factory):
    """A stack that scales on requests in flight, with the Prometheus that its configuration names, and its address."""
    folder, port = tmp_path_factory.mktemp("stack") / SPACE, next(ports)
    folder.mkdir()
    told = {"monitoring": "prometheus", "prometheus": f"http://{places.NODE_ADDRESS}:{port}"}
    with installed(api, definitions(), []), Served(folder, {"steep": {"scale": SCALE}}, **told) as stack:
        stack.train("steep", 2.0)
        stack.up()
        (monitor,) = api.list("monitoring.coreos.com/v1", "PodMonitor", SPACE)
        declared = api.get(Ref("keda.sh/v1alpha1", "ScaledObject", SPACE, "steep"))
        with (
            keda.prometheus(api, SPACE, folder, scrape_of(monitor), port) as prometheus,
            keda.acting(api, declared, folder),
        ):
            yield stack, prometheus, declared["spec"]["triggers"][0]["metadata"]["query"]
        stack.destroy(fails=None)


def pods(api):
    """Those that are ready."""
    found = api.get(Ref("apps/v1", "Deployment", SPACE, "steep"))["status"]
    return found.get("readyReplicas", 0), found.get("replicas", 0)


def test_requests_in_flight_take_the_service_from_one_pod_to_three_and_back(scaled, api):
    stack, prometheus, query = scaled
    until(lambda: asked(prometheus, query), 60, "Prometheus does not know of the service")
    assert pods(api) == (1, 1)
    request = post("/predict", KEY, json.dumps({"inputs": {"x": [1, 2, 3, 4]}}))
    started = time.monotonic()
    with Load(3000, RATE, address(api, SPACE, "steep"), request, pause=PAUSE) as load:
        until(lambda: pods(api) == (3, 3), 180, "it does not scale up")
        print(f"\nthree pods after {time.monotonic() - started:.0f} s, in flight: {asked(prometheus, query)}")
        stack.up("--expect-no-changes")
        assert pods(api) == (3, 3)
    started = time.monotonic()
    until(lambda: pods(api) == (1, 1), 300, "it does not scale down")
    print(f"one pod {time.monotonic() - started:.0f} s after the load; {load.result}")
    assert not load.result["failed"], load.result


def test_the_series_that_it_counts_have_the_operators_labels_beside_ours(scaled):
    _, prometheus, query = scaled
    inner = query.removeprefix("sum(").removesuffix(")")
    for each in asked(prometheus, inner):
        assert each["metric"]["endpoint"] == "metrics" and each["metric"]["slipway_endpoint"]
        assert each["metric"]["namespace"] == SPACE and each["metric"]["pod"].startswith("steep-")
        assert not [name for name in each["metric"] if name.startswith("exported_")]
    assert asked(prometheus, inner)
