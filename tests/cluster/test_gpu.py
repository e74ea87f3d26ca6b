"""Services that ask for GPUs, by the real engine on the real scheduler: the nodes and their GPUs are kwok's."""

import pytest

from slipway.simulator.kube.api import ApiError, Ref
from tests.cluster.build import kubernetes_plugin
from tests.cluster.served import Served
from tests.cluster.test_scheduling import GPU, SPOT, TAINT, is_ready, node, until

SPACE = "gpu"
IMAGE = "registry.example/steep@sha256:"
TOLERATED = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
L4 = {"selector": {"gpu": "l4"}, "tolerations": TOLERATED, "resource": GPU}
T4 = {"selector": {"gpu": "t4"}, "resource": GPU, "spot": True,
      "tolerations": [*TOLERATED, {"key": "spot", "operator": "Exists", "effect": "NoSchedule"}]}  # fmt: skip


def pool(name, gpus, zone, gpu, spot=False):
    made = node(name, gpus, zone, spot)
    made["metadata"]["labels"] |= {"gpu": gpu, "kubernetes.io/os": "linux"}
    made["status"]["allocatable"]["ephemeral-storage"] = "100Gi"
    return made


@pytest.fixture(scope="module")
def nodes(api):
    """Two of two L4 each in two zones, and a spot node of three T4 in a third."""
    made = [
        pool("l4-a", 2, "zone-a", "l4"),
        pool("l4-b", 2, "zone-b", "l4"),
        pool("t4-c", 3, "zone-c", "t4", spot=True),
    ]
    for each in made:
        api.apply(each, "test")
        api.patch(Ref.to(each), {"status": each["status"]}, "/status")
    until(lambda: all(is_ready(api.get(Ref.to(each))) for each in made))
    yield made
    for each in made:
        api.delete(Ref.to(each))


@pytest.fixture(scope="module")
def stack(nodes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack") / SPACE
    folder.mkdir()
    services = {"steep": {"accelerator": "nvidia", "rollout": {"deadlineSeconds": 25, "drainSeconds": 0}}}
    with Served(folder, services, placements={"nvidia": [L4, T4]}) as stack:
        stack.set("steep", image=IMAGE + "1" * 64)
        yield stack
        stack.destroy(fails=None)


def where(api, service="steep"):
    """The nodes of a service's running pods, sorted."""
    found = api.list("v1", "Pod", SPACE, labelSelector=f"app.kubernetes.io/name={service}")
    running = [each for each in found if is_ready(each) and not each["metadata"].get("deletionTimestamp")]
    return sorted(each["spec"]["nodeName"] for each in running)


def scale(stack, service="steep", **counts):
    stack.set(service, scale=counts)
    stack.up()


def test_the_preferred_kind_of_node_is_filled_first_and_the_next_one_takes_the_rest(stack, api):
    scale(stack, min=3)
    assert set(where(api)) <= {"l4-a", "l4-b"}
    scale(stack, min=6)
    assert where(api) == ["l4-a", "l4-a", "l4-b", "l4-b", "t4-c", "t4-c"]


def test_the_order_of_the_kinds_decides(stack, api):
    stack.settings["placements"] = {"nvidia": [T4, L4]}
    scale(stack, min=2)
    until(lambda: where(api) == ["t4-c", "t4-c"])  # an update may end before the old pods are gone


def test_a_base_stays_off_spot_nodes_and_the_others_prefer_them(stack, api):
    stack.settings["placements"] = {"nvidia": [L4, T4]}
    scale(stack, min=4, onDemand=1)
    found = where(api)
    assert found[1:] == ["t4-c", "t4-c", "t4-c"]
    assert found[0].startswith("l4-")


def test_spot_nodes_that_go_away_leave_the_base_and_the_others_fall_back(stack, api, nodes):
    spot = nodes[2]
    api.delete(Ref.to(spot))
    until(lambda: where(api).count("t4-c") == 0 and len(where(api)) == 4, 150)
    assert set(where(api)) == {"l4-a", "l4-b"}
    api.apply(spot, "test")
    api.patch(Ref.to(spot), {"status": spot["status"]}, "/status")
    until(lambda: is_ready(api.get(Ref.to(spot))))
    scale(stack, min=4)  # a base that is given up goes last: there has to be room beside it


def test_a_pool_without_a_spare_gpu_is_refused_when_it_is_told_of_and_rolls_one_by_one_when_asked_to(stack, api):
    stack.settings["placements"] = {"nvidia": [{**L4, "gpus": 4}]}
    stack.set("steep", scale={"min": 4})
    said = stack.up(fails=True)
    assert "services.steep.rollout.surge: a new pod needs 1 spare of 4 GPUs" in said
    stack.set("steep", rollout={"deadlineSeconds": 25, "drainSeconds": 0, "surge": 0, "unavailable": 1})
    stack.up()
    assert where(api) == ["l4-a", "l4-a", "l4-b", "l4-b"]
    stack.set("steep", image=IMAGE + "2" * 64)
    stack.up()
    assert where(api) == ["l4-a", "l4-a", "l4-b", "l4-b"]


def test_a_rollout_that_finds_no_gpu_fails_by_name_and_the_old_pods_stay(stack, api):
    stack.settings["placements"] = {"nvidia": [L4]}  # nobody said how many there are
    stack.set("steep", image=IMAGE + "3" * 64, rollout={"deadlineSeconds": 20, "drainSeconds": 0})
    said = stack.up(fails=True)
    if kubernetes_plugin():  # the real one does not say why nothing is scheduled
        assert "Minimum number of" in said
        said = stack.slipway("doctor", "--stack", stack.stack, fails=True)
    assert "Insufficient nvidia.com/gpu" in said
    assert "steep-" in said
    assert where(api) == ["l4-a", "l4-a", "l4-b", "l4-b"]
    stack.set("steep", image=IMAGE + "2" * 64)
    stack.up()


def test_a_drain_moves_one_pod_at_a_time_and_waits_for_room(stack, api):
    stack.settings["placements"] = {"nvidia": [L4, T4]}
    scale(stack, min=4)
    api.patch(Ref("v1", "Node", "", "l4-a"), {"spec": {"unschedulable": True}})
    there = [
        each["metadata"]["name"] for each in api.list("v1", "Pod", SPACE) if each["spec"].get("nodeName") == "l4-a"
    ]
    put_off = 0
    for name in there:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": SPACE}}

        def evicted(name=name, eviction=eviction):
            nonlocal put_off
            try:
                api.create(f"/api/v1/namespaces/{SPACE}/pods/{name}/eviction", eviction)
            except ApiError as error:
                if "disruption budget" not in str(error):
                    raise
                put_off += 1
                return False
            return True

        until(evicted, 60)
        assert len(where(api)) >= 3
    until(lambda: len(where(api)) == 4, 60)
    assert "l4-a" not in where(api)
    print(f"\ndrained two pods, {put_off} evictions put off")
    api.patch(Ref("v1", "Node", "", "l4-a"), {"spec": {"unschedulable": None}})


def test_what_asks_for_no_gpu_stays_off_gpu_nodes(stack, api):
    taints = [each["key"] for each in (TAINT, SPOT)]
    found = api.list("v1", "Pod", "", fieldSelector="spec.nodeName=l4-b")
    assert all(any(one.get("key") in taints for one in each["spec"]["tolerations"]) for each in found)
    assert {each["metadata"]["namespace"] for each in found} == {SPACE}
