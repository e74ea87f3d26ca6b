"""The supervisor, driven as the resource drives it, with a double for the service's process."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from slipway.infra.platforms.local import runtime
from slipway.infra.platforms.local.service import LocalServiceProvider
from slipway.infra.resources.command import SlipwayError

from tests.callers import access
from tests.damage import DAMAGE, RUN

DOUBLES = Path(__file__).parents[2] / "doubles"
OWNER = runtime.Owner("x", "stack slipway/test in file:///here")


@pytest.fixture
def port(slipway_home, free_port):
    yield free_port
    runtime.stop(free_port, runtime.owner_of(runtime.run_folder(free_port)) or OWNER)
    assert not runtime.workers_of(runtime.run_folder(free_port))


@pytest.fixture
def release(tmp_path):
    def make(text, workers=1):
        artifact = tmp_path / text
        artifact.write_text(text)
        return runtime.Release(
            python=sys.executable,
            module="service",
            code=str(DOUBLES),
            artifact=str(artifact),
            workers=workers,
            environment={},
        )

    return make


def answer(port, path="/"):
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as response:
        return response.read().decode().rsplit(" ", 1)


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_release_serves_and_stop_leaves_no_process_port_or_file(port, release):
    runtime.roll(port, OWNER, release("one", workers=2), access())
    pids = runtime.serving(port)["pids"]
    assert answer(port)[0] == "one"
    assert len(pids) == 2
    runtime.stop(port, OWNER)
    assert not runtime.run_folder(port).exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_a_new_release_takes_over_under_load_without_a_lost_request(port, release):
    runtime.roll(port, OWNER, release("one"), access())
    seen, failed, done = set(), [], threading.Event()

    def load():
        while not done.is_set():
            try:
                seen.add(answer(port)[0])
            except OSError as error:
                failed.append(error)

    client = threading.Thread(target=load)
    client.start()
    runtime.roll(port, OWNER, release("two"), access())
    time.sleep(0.2)
    done.set()
    client.join()
    assert failed == []
    assert seen == {"one", "two"}
    assert answer(port)[0] == "two"


def test_a_request_in_flight_is_answered_by_the_release_that_took_it(port, release):
    runtime.roll(port, OWNER, release("one"), access())
    answers = []
    client = threading.Thread(target=lambda: answers.append(answer(port, "/slow")[0]))
    client.start()
    time.sleep(0.1)
    runtime.roll(port, OWNER, release("two"), access())
    client.join()
    assert answers == ["one"]


def test_a_release_that_does_not_get_ready_leaves_the_old_one_serving(port, release):
    runtime.roll(port, OWNER, release("one"), access())
    before = answer(port)
    with pytest.raises(SlipwayError, match="the one before serves on(?s:.*)model.onnx is damaged: broken"):
        runtime.roll(port, OWNER, release("broken"), access())
    assert answer(port) == before
    runtime.roll(port, OWNER, release("two"), access())
    assert answer(port)[0] == "two"


def test_a_first_release_that_does_not_get_ready_leaves_nothing(port, release):
    with pytest.raises(SlipwayError, match="nothing is served on port(?s:.*)model.onnx is damaged"):
        runtime.roll(port, OWNER, release("broken"), access())
    assert runtime.serving(port) is None
    assert not runtime.alive(runtime.run_folder(port))


def test_a_killed_worker_is_started_again(port, release):
    runtime.roll(port, OWNER, release("one", workers=2), access())
    victim = runtime.serving(port)["pids"][0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in (runtime.serving(port) or {"pids": [victim]})["pids"])
    wait_until(lambda: len((runtime.serving(port) or {"pids": []})["pids"]) == 2)
    assert answer(port)[0] == "one"


def test_a_killed_supervisor_takes_its_workers_along_and_the_next_release_takes_over(port, release):
    runtime.roll(port, OWNER, release("one", workers=2), access())
    pids = runtime.serving(port)["pids"]
    runtime._supervisor(runtime.run_folder(port)).kill()
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert runtime.serving(port) is None
    runtime.roll(port, OWNER, release("two"), access())
    assert answer(port)[0] == "two"


def test_a_stopped_worker_of_a_killed_supervisor_is_found(port, release):
    runtime.roll(port, OWNER, release("one"), access())
    worker = runtime.serving(port)["pids"][0]
    os.kill(worker, signal.SIGSTOP)
    runtime._supervisor(runtime.run_folder(port)).kill()
    wait_until(lambda: not runtime.alive(runtime.run_folder(port)))
    assert [process.pid for process in runtime.workers_of(runtime.run_folder(port))] == [worker]
    runtime.stop(port, OWNER)
    assert runtime.workers_of(runtime.run_folder(port)) == []


def test_a_port_of_another_stack_is_refused_and_left_alone(port, release):
    other = runtime.Owner("x", "stack slipway/test in file:///there")
    runtime.roll(port, OWNER, release("one"), access())
    with pytest.raises(SlipwayError, match="serves service 'x' of stack slipway/test in file:///here"):
        runtime.roll(port, other, release("two"), access())
    runtime.stop(port, other)
    assert answer(port)[0] == "one"


def test_a_renamed_service_takes_its_port_over_from_its_old_name(port, release):
    renamed = runtime.Owner("y", OWNER.stack)
    runtime.roll(port, OWNER, release("one"), access())
    with pytest.raises(SlipwayError, match="the one before serves on"):
        runtime.roll(port, renamed, release("broken"), access())
    assert runtime.serving(port)["owner"] == OWNER
    runtime.roll(port, renamed, release("two"), access())
    runtime.stop(port, OWNER)
    assert answer(port)[0] == "two"


def test_a_port_of_another_program_is_refused_naming_it(port, release):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(SlipwayError, match=rf"port {port} is taken by python.*process {os.getpid()}"):
            runtime.roll(port, OWNER, release("one"), access())


def test_a_release_whose_interpreter_is_missing_says_so(port, release, tmp_path):
    good = release("one")
    bad = runtime.Release(**{**vars(good), "python": str(tmp_path / "no-python")})
    with pytest.raises(SlipwayError, match="no-python can't be started"):
        runtime.roll(port, OWNER, bad, access())


def test_two_supervisors_never_work_in_one_folder(port, release):
    runtime.roll(port, OWNER, release("one"), access())
    run = runtime.run_folder(port)
    second = subprocess.run([sys.executable, str(runtime.SUPERVISOR), str(run)], timeout=60)
    assert second.returncode == 2
    assert answer(port)[0] == "one"


def test_the_access_file_is_for_its_user_alone_and_changes_without_a_restart(port, release, monkeypatch):
    monkeypatch.setattr(runtime, "LOOK_SECONDS", 0)
    file = runtime.run_folder(port) / "access.json"
    runtime.roll(port, OWNER, release("one"), access())
    assert (file.read_text(), file.stat().st_mode & 0o777) == (access(), 0o600)
    assert runtime.run_folder(port).stat().st_mode & 0o777 == 0o700
    pids, other = runtime.serving(port)["pids"], access(rate={"perKey": 5})
    runtime.grant(port, other)
    assert (file.read_text(), file.stat().st_mode & 0o777) == (other, 0o600)
    assert runtime.serving(port)["pids"] == pids
    with pytest.raises(SlipwayError, match="the one before serves on"):
        runtime.roll(port, OWNER, release("broken"), access())
    assert file.read_text() == other  # who asks the one before goes on as well


def test_no_secret_is_in_what_tells_which_release_runs(port, release):
    runtime.roll(port, OWNER, release("one"), access())
    run = runtime.run_folder(port)
    (worker,) = runtime.workers_of(run)[-1:]
    told = [(run / name).read_text() for name in ("desired.json", "status.json", "log")]
    assert not [text for text in [*told, str(worker.environ()), str(worker.cmdline())] if "5" * 64 in text]


@pytest.mark.parametrize("name", ["PULUMI_CONFIG_PASSPHRASE", "AWS_SECRET_ACCESS_KEY", "SLIPWAY_KEY", "GITHUB_TOKEN"])
def test_a_service_knows_no_secret_of_who_started_it(name, port, release, monkeypatch):
    monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    runtime.roll(port, OWNER, release("one"), access())
    found = [process.environ() for process in runtime.workers_of(runtime.run_folder(port))]
    assert len(found) == 2  # supervisor and worker
    for environment in found:
        assert name not in environment and environment["OTEL_SERVICE_NAME"] == "mine" and environment["PATH"]


def test_metrics_keep_their_port_through_releases_and_change_it_when_told(port, release):
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        first, second = (probe.getsockname()[1] for probe in (one, two))

    def on(text, metrics_port):
        return runtime.Release(**{**vars(release(text)), "metrics_port": metrics_port})

    runtime.roll(port, OWNER, on("one", first), access())
    assert not runtime.is_free(first)
    runtime.roll(port, OWNER, on("two", first), access())
    assert not runtime.is_free(first)
    with socket.socket() as other:
        other.bind(("127.0.0.1", second))
        other.listen()
        with pytest.raises(SlipwayError, match=rf"metricsPort {second}: Address already in use"):
            runtime.roll(port, OWNER, on("three", second), access())
    assert answer(port)[0] == "two"
    runtime.roll(port, OWNER, on("three", second), access())
    wait_until(lambda: runtime.is_free(first))
    assert not runtime.is_free(second)
    runtime.stop(port, OWNER)
    assert runtime.is_free(second)


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", sorted(RUN.keys() - {"access.json"}))
def test_a_damaged_file_of_a_run_folder_heals_with_the_next_release(port, release, name, how):
    runtime.roll(port, OWNER, release("one"), access())
    file = runtime.run_folder(port) / name
    file.write_bytes(DAMAGE[how](file.read_bytes()))
    assert runtime.owner_of(runtime.run_folder(port)) == OWNER
    runtime.roll(port, OWNER, release("two"), access())
    wait_until(lambda: answer(port)[0] == "two")  # the one before may still take a request while it drains
    assert runtime.serving(port)["owner"] == OWNER


def test_no_process_gets_a_signal_because_its_number_is_in_a_file(port, release):
    lock = runtime.run_folder(port) / "lock"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        try:
            runtime.roll(port, OWNER, release("one"), access())
            lock.write_text(str(other.pid))
            runtime.roll(port, OWNER, release("two"), access())
            assert answer(port)[0] == "two"
            lock.write_text(str(other.pid))
            runtime.stop(port, OWNER)
            assert not runtime.run_folder(port).exists()
            assert other.poll() is None
        finally:
            other.kill()


def test_where_nobody_knows_whose_a_port_is_it_is_named_and_down_frees_it(port, release):
    runtime.roll(port, OWNER, release("one"), access())
    for name in ("desired.json", "status.json"):
        (runtime.run_folder(port) / name).write_text("")
    with pytest.raises(SlipwayError, match=rf"files in {runtime.run_folder(port)} are damaged.*make down"):
        runtime.roll(port, OWNER, release("two"), access())
    assert answer(port)[0] == "one"
    runtime.stop(port, OWNER)
    assert runtime.is_free(port)


@pytest.mark.parametrize("how", DAMAGE)
def test_a_service_whose_access_file_is_damaged_is_made_again(port, release, how, monkeypatch):
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///here")
    runtime.roll(port, OWNER, release("one"), access())
    props = {"service": "x", "stack": "slipway/test", "port": float(port)}
    props |= {"accessKey": hashlib.sha256(access().encode()).hexdigest()}
    assert LocalServiceProvider().read("id", props).id == "id"
    file = runtime.run_folder(port) / "access.json"
    file.write_bytes(DAMAGE[how](file.read_bytes()))
    assert LocalServiceProvider().read("id", props).id == ""
