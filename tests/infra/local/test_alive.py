"""A service stays up whatever its disk, its descriptors and its workers do; and where it is not whole, that is told."""

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import httpx
import psutil
import pytest
from slipway.infra.home import ROOT
from slipway.infra.platforms.local import runtime, supervisor
from slipway.infra.platforms.local.service import LocalServiceProvider

from tests.callers import access
from tests.infra.local.test_runtime import OWNER, answer, port, release, wait_until
from tests.service.conftest import make_artifact

__all__ = ["port", "release"]


@pytest.fixture(scope="module")
def suffered(tmp_path_factory):
    """What became of a service on a disk that fills up, and on one that becomes read-only."""
    tried = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if os.geteuid() or tried.returncode:
        pytest.skip("mounting a small disk needs root and a mount namespace (unshare -m)")
    folder = tmp_path_factory.mktemp("disk")
    (folder / "home").mkdir()
    artifact = make_artifact(folder / "artifact", "linear")
    with supervisor.new_socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    command = ["unshare", "-m", sys.executable, "-m", "tests.infra.local.full_disk", folder / "home", artifact]
    done = subprocess.run([*command, str(free)], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=600)
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_disk_that_takes_nothing_costs_feedback_and_updates_alone(suffered, kind):
    found = suffered[kind]
    assert set(found["predictions"]) == {200} and found["workers stayed"]
    assert found["started again"] and found["answers again"] == found["still"] == 200
    assert found["counts"] >= 52  # of the workers that were killed too
    assert (found["feedback"], found["feedback after"]) == (503, 200)
    assert "make room there" in found["rolled"]
    assert found["status after"] and found["healed"] == 200


@pytest.fixture
def whole(port, release, monkeypatch):
    """Two workers, and how the stack sees them."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///here")
    monkeypatch.setattr(runtime, "HEALTHY_SECONDS", 0.5)
    runtime.roll(port, OWNER, release("one", workers=2), access())
    props = {"service": "x", "stack": "slipway/test", "port": float(port)}
    assert seen(props) == "id"
    return props


def seen(props):
    """What a refresh sees: the id, or nothing, and then the update makes it anew."""
    return LocalServiceProvider().read("id", props).id


def test_a_file_that_says_that_all_is_well_is_not_believed(whole, port, release):
    run = runtime.run_folder(port)
    told = (run / "status.json").read_text()
    stuck = runtime._supervisor(run)
    stuck.suspend()
    for worker in stuck.children():
        worker.kill()
    (run / "status.json").write_text(told)
    assert seen(whole) == ""
    runtime.roll(port, OWNER, release("two", workers=2), access())  # it heals, the stopped supervisor too
    assert answer(port)[0] == "two" and seen(whole) == "id"


def test_a_worker_that_hangs_is_not_taken_for_a_living_one(whole, port, release):
    hung = psutil.Process(runtime.serving(port)["pids"][0])
    hung.suspend()
    wait_until(lambda: hung.status() == psutil.STATUS_STOPPED)
    assert seen(whole) == ""
    hung.resume()
    assert seen(whole) == "id"


def test_a_worker_that_dies_at_once_is_started_at_a_bounded_rate(port, release, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "HEALTHY_SECONDS", 0)
    (tmp_path / "dying").write_text("one")
    dying = runtime.Release(**{**vars(release("dying")), "environment": {"DYING": str(tmp_path / "starts")}})
    runtime.roll(port, OWNER, dying, access())
    time.sleep(4)
    starts = [float(line) for line in (tmp_path / "starts").read_text().split()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert 3 <= len(starts) <= 7  # 0.1, 0.2, 0.4, 0.8, 1.6 seconds and the starts themselves
    assert gaps[-1] > 2 * gaps[0]


def test_without_a_descriptor_left_the_supervisor_lives_and_starts_its_worker_later(whole, port):
    process, victim = runtime._supervisor(runtime.run_folder(port)), runtime.serving(port)["pids"][0]
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    os.kill(victim, signal.SIGKILL)
    time.sleep(1)
    assert process.is_running() and seen(whole) == ""
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    wait_until(lambda: seen(whole) == "id")


def test_a_service_without_descriptors_waits_for_one_and_takes_no_core(port, release, tmp_path):
    artifact = make_artifact(tmp_path / "artifact", "linear")
    real = runtime.Release(
        python=sys.executable, module="slipway.service", code=str(ROOT), artifact=str(artifact), workers=1,
        environment={},
    )  # fmt: skip
    runtime.roll(port, OWNER, real, access())
    worker = psutil.Process(runtime.serving(port)["pids"][0])
    limits = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    with httpx.Client() as client:
        with pytest.raises(httpx.TimeoutException):
            client.get(f"http://127.0.0.1:{port}/livez", timeout=0.5)
        before = sum(worker.cpu_times()[:2])
        time.sleep(2)
        assert sum(worker.cpu_times()[:2]) - before < 0.5
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, limits)
        assert client.get(f"http://127.0.0.1:{port}/livez", timeout=60).status_code == 200


def test_a_log_keeps_lines_for_as_many_days_as_it_is_told(tmp_path):
    def line(days):
        at = datetime.fromtimestamp(time.time() - days * 86400, UTC).isoformat(timespec="milliseconds")
        return json.dumps({"time": at, "level": "WARNING", "days": days}).encode() + b"\n"

    new = line(2) + b"  a traceback\n" + line(40) + b"x" * 3_000_000 + b"\n" + line(1)
    log = tmp_path / "log"
    for content, left in (
        (b"started\n" + line(9) + b"  of nine days\n" + new, new),
        (line(9) + line(8) + b"  of eight days\n", b""),
        (new, new),
        (b"no line tells its time\n", b"no line tells its time\n"),
        (b"", b""),
    ):
        log.write_bytes(content)
        supervisor.drop_old(log, 7)
        assert log.read_bytes() == left
