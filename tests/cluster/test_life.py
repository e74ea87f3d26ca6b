"""The cluster's own life: what it leaves, who may use it, what becomes of it when somebody is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from slipway.infra.home import ROOT

from slipway.simulator.kube.api import Api, Ref
from tests.cluster import cluster, places, traces
from tests.cluster.conftest import NEEDED, cant
from tests.cluster.parts import cgroups
from tests.waiting import until

OWNER = """
import time
from tests.cluster import cluster
with cluster.held():
    cluster.up(keep=False)
    print("up", flush=True)
    time.sleep(600)
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "sleeper", "namespace": "default"},
    "spec": {"containers": [{"name": "main", "image": "slipway.test/base:bookworm", "command": ["sleep", "600"]}]},
}
# In a mount namespace of its own, /sys/fs/cgroup is empty.
HIDDEN = ("unshare", "--mount", "--propagation", "private", "sh", "-c", 'umount -Rl /sys/fs/cgroup; exec "$@"', "sh")


@pytest.fixture(scope="module")
def before(fit):
    """What the machine shows without a cluster."""
    if pid := cluster.kept():
        pytest.fail(f"a cluster is up (process {pid}): python -m tests.cluster down", pytrace=False)
    with cluster.held():
        cluster.down()
    yield traces.take()
    with cluster.held():
        cluster.down()


@pytest.fixture
def owner():
    """A process whose cluster it is, as a test run would be."""
    process = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    run_a_pod()
    yield process
    process.kill()
    process.communicate()


def run_a_pod():
    api = Api(places.kubeconfig().read_text())
    api.apply(POD, "test")
    until(lambda: api.get(Ref.to(POD))["status"].get("phase") == "Running")


def test_down_leaves_nothing_and_up_changes_nothing_of_the_machines_own(before):
    with cluster.held():
        started = time.monotonic()
        took = cluster.up()
        print(f"\nup in {time.monotonic() - started:.1f} s: {took}")
        run_a_pod()
        shown = traces.difference(before, traces.take())
        assert set(shown) == {"processes", "namespaces", "cgroups", "listeners"}
        used = cluster.memory()
        print(f"{sum(used.values())} MiB: {used}")
        started = time.monotonic()
        cluster.down()
        print(f"down in {time.monotonic() - started:.1f} s")
    assert traces.difference(before, traces.take()) == {}
    assert not places.run_folder().exists()


def test_the_same_holds_on_a_machine_that_shows_no_cgroups(before):
    if (cgroups.ROOT / "cgroup.procs").exists():
        pytest.skip("the second version has the controllers: hidden ones can't be mounted as the first")
    first = test_down_leaves_nothing_and_up_changes_nothing_of_the_machines_own.__name__
    command = [*HIDDEN, sys.executable, "-m", "pytest", f"{__file__}::{first}"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, NEEDED: "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert traces.difference(before, traces.take()) == {}


def test_a_second_run_is_refused_and_the_first_goes_on(before, owner):
    done = subprocess.run([sys.executable, "-m", "tests.cluster", "down"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"process {owner.pid} uses the cluster" in done.stderr
    assert Api(places.kubeconfig().read_text()).get(Ref.to(POD))["status"]["phase"] == "Running"


def test_the_cluster_of_a_killed_run_ends_and_the_next_run_removes_the_rest(before, owner):
    owner.kill()
    until(lambda: not cluster.running())
    shown = traces.difference(before, traces.take())
    assert set(shown) == {"cgroups"}
    with cluster.held():
        cluster.up(keep=False)
        cluster.down()
    assert traces.difference(before, traces.take()) == {}


def test_the_run_after_a_killed_one_need_not_wait_for_its_cluster_to_end(before, owner):
    owner.kill()
    owner.wait()
    with cluster.held():
        cluster.up(keep=False)
        run_a_pod()
        cluster.down()
    assert traces.difference(before, traces.take()) == {}


def test_a_killed_cluster_takes_everything_inside_with_it(before, owner):
    os.kill(cluster.running(), signal.SIGKILL)
    until(lambda: set(traces.difference(before, traces.take())) == {"cgroups"})


def test_a_port_that_is_taken_is_named_with_the_way_out(before):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", places.REGISTRY))
        taken.listen()
        with (
            cluster.held(),
            pytest.raises(cluster.Unfit, match=f"port {places.REGISTRY} is in use: SLIPWAY_CLUSTER_PORT"),
        ):
            cluster.up()
    with cluster.held():
        cluster.down()


def test_a_machine_that_can_not_run_it_is_a_skip_with_the_reason_and_a_failure_where_it_is_needed(monkeypatch):
    monkeypatch.delenv(NEEDED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no cluster: it needs root"):
        cant("it needs root")
    monkeypatch.setenv(NEEDED, "1")
    with pytest.raises(pytest.fail.Exception, match="can't run: it needs root"):
        cant("it needs root")


def test_without_root_the_reason_is_said(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "it needs root" in cluster.unfit()


def test_without_cgroups_in_the_kernel_the_reason_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    monkeypatch.setattr(cgroups, "OFFERED", tmp_path / "cgroups")
    assert "the kernel has no cgroups to mount there for cpu, cpuacct, cpuset, devices, memory" in cgroups.unfit()
    (tmp_path / "cgroups").write_text(
        "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t1\t1\ncpuset\t0\t1\t1\ncpuacct\t3\t1\t1\n"
        "devices\t0\t1\t1\nmemory\t0\t1\t0\n"
    )
    assert "for memory:" in cgroups.unfit()
    assert cgroups._offered() == ["cpu,cpuacct", "cpuset", "devices"]  # what shares a hierarchy can't be parted
