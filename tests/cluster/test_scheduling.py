"""Pods that ask for GPUs, on the real scheduler: the nodes and their GPUs are kwok's."""

import pytest

from slipway.simulator.kube.api import Ref
from tests.cluster.parts.kwok import ANNOTATION
from tests.waiting import until

GPU = "nvidia.com/gpu"
TAINT = {"key": GPU, "value": "present", "effect": "NoSchedule"}
SPOT = {"key": "spot", "value": "true", "effect": "NoSchedule"}


def node(name, gpus, zone, spot=False):
    room = {"cpu": "8", "memory": "32Gi", "pods": "20", GPU: str(gpus)}
    labels = {"pool": "gpu", "topology.kubernetes.io/zone": zone, "capacity": "spot" if spot else "on-demand",
              "kubernetes.io/hostname": name}  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {ANNOTATION: "fake"}},
        "spec": {"taints": [TAINT, *([SPOT] if spot else [])]},
        "status": {"allocatable": room, "capacity": room},
    }


def deployment(name, replicas, gpus=1, tolerates=(TAINT,), **pod):
    labels = {"app": name}
    ask = {"resources": {"limits": {GPU: str(gpus)}}} if gpus else {}
    spec = {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": each["key"], "operator": "Exists", "effect": "NoSchedule"} for each in tolerates],
        "containers": [{"name": "main", "image": "slipway.test/base:bookworm", **ask}],
        **pod,
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.fixture(scope="module")
def pool(api):
    """Two on-demand nodes of one GPU and a spot node of two, in three zones."""
    nodes = [node("gpu-a", 1, "zone-a"), node("gpu-b", 1, "zone-b"), node("gpu-spot", 2, "zone-c", spot=True)]
    for each in nodes:
        api.apply(each, "test")
        api.patch(Ref.to(each), {"status": each["status"]}, "/status")
    # A node that is ready keeps the taint of one that is not for another moment.
    until(
        lambda: all(
            is_ready(now := api.get(Ref.to(each))) and now["spec"]["taints"] == each["spec"]["taints"] for each in nodes
        )
    )
    yield api
    for each in nodes:
        api.delete(Ref.to(each))


@pytest.fixture
def placed(pool, request):
    """Applies a Deployment and says where its pods are: {node: count}, Pending ones under their reason."""
    made = []

    def apply(value, pods):
        made.append(value)
        pool.apply(value, "test")
        name = value["metadata"]["name"]
        until(lambda: len(settled(pool, name)) == pods)
        return sorted(settled(pool, name))

    yield apply
    for value in made:
        pool.delete(Ref.to(value), "Background")
        until(lambda value=value: not pods_of(pool, value["metadata"]["name"]))


def pods_of(api, name):
    return api.list("v1", "Pod", "default", labelSelector=f"app={name}")


def settled(api, name):
    """Where each pod runs, or why it does not; without those that the scheduler has not looked at."""
    found = []
    for pod in pods_of(api, name):
        reasons = [
            each.get("message", "") for each in pod["status"].get("conditions") or () if each["status"] == "False"
        ]
        if pod["status"].get("phase") == "Running":
            found.append(pod["spec"]["nodeName"])
        elif any("nodes are available" in each for each in reasons):
            found.append("Pending: " + " ".join(reasons))
    return found


def is_ready(live):
    conditions = (live or {}).get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def test_pods_that_ask_for_a_gpu_run_where_one_is_free_and_wait_when_all_are_taken(placed):
    first, *rest = placed(deployment("full", 3), 3)
    assert "Insufficient nvidia.com/gpu" in first
    assert rest == ["gpu-a", "gpu-b"]


def test_a_pod_that_waits_runs_when_a_gpu_becomes_free(placed, pool):
    placed(deployment("early", 2), 2)
    (waits,) = placed(deployment("late", 1), 1)
    assert waits.startswith("Pending")
    pool.patch(Ref("apps/v1", "Deployment", "default", "early"), {"spec": {"replicas": 1}})
    until(lambda: settled(pool, "late") in (["gpu-a"], ["gpu-b"]))


def test_a_pod_without_the_toleration_stays_off_gpu_nodes(placed):
    (waits,) = placed(deployment("plain", 1, gpus=0, tolerates=()), 1)
    assert "untolerated taint" in waits


def test_spot_nodes_take_only_who_tolerates_them(placed):
    assert placed(deployment("both", 4, tolerates=(TAINT, SPOT)), 4) == ["gpu-a", "gpu-b", "gpu-spot", "gpu-spot"]


def test_more_gpus_than_any_node_has_wait(placed):
    (waits,) = placed(deployment("large", 1, gpus=4, tolerates=(TAINT, SPOT)), 1)
    assert "Insufficient nvidia.com/gpu" in waits


def test_replicas_spread_over_zones_where_they_have_to(placed):
    spread = {
        "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "spread"}}, "nodeTaintsPolicy": "Honor",
    }  # fmt: skip
    value = deployment("spread", 3, tolerates=(TAINT, SPOT), topologySpreadConstraints=[spread])
    assert placed(value, 3) == ["gpu-a", "gpu-b", "gpu-spot"]
