"""Real processes: how one starts, refuses to start, shares its socket and ends."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
from slipway.service.artifact import seal

from tests.service.conftest import ROOT

GOOD = {"inputs": {"features": [1, 2, 3, 4]}}
HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


def test_a_worker_is_ready_when_it_answers_and_ends_with_0(start, artifacts):
    worker = start(artifacts["classifier"])
    assert worker.ready == b"ready\n"
    assert httpx.get(f"{worker.url}/readyz").status_code == 200
    assert httpx.post(f"{worker.url}/predict", json=GOOD).json()["label"] in ("low", "middle", "high")
    worker.process.terminate()
    assert worker.end() == (0, "")


def remove_model(folder):
    (folder / "model.onnx").unlink()


def change_a_byte(folder):
    content = bytearray((folder / "model.onnx").read_bytes())
    content[50] ^= 1
    (folder / "model.onnx").write_bytes(content)


def cut_model(folder):
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:100])
    seal(folder)


def rewrite(file, **changes):
    def change(folder):
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        seal(folder)

    return change


def other_input(name="features", dtype="float32", size=4):
    return rewrite("signature.json", inputs=[{"name": name, "dtype": dtype, "shape": [None, size]}])


FAULTS = {
    "model missing": (remove_model, "model.onnx is missing"),
    "model changed": (change_a_byte, "model.onnx is damaged"),
    "model cut, hash right": (cut_model, "model.onnx: ONNX Runtime cannot load it"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing"),
    "other input name": (other_input(name="z"), "the inputs of model.onnx are features"),
    "other input size": (other_input(size=5), "features has shape [None, 5]"),
    "other input type": (other_input(dtype="int64"), "features is int64"),
    "other answer recorded": (
        rewrite("example.response.json", outputs={"probabilities": [0.5, 0.3, 0.2]}),
        "probabilities differs",
    ),
    "other label recorded": (rewrite("example.response.json", label="low"), "the recorded label is 'low'"),
    "example of another model": (rewrite("example.json", inputs={"x": [1]}), "example.json: features: missing"),
}


@pytest.mark.parametrize(("fault", "reason"), FAULTS.values(), ids=FAULTS)
def test_what_can_not_be_trusted_is_not_served(fault, reason, start, classifier):
    fault(classifier)
    begin = time.monotonic()
    worker = start(classifier)
    code, errors = worker.end()
    assert time.monotonic() - begin < 10
    assert worker.ready == b""
    assert code == 1
    assert errors.startswith("slipway: ") and reason in errors and errors.count("\n") == 1


def test_a_taken_port_is_one_clear_line(listener, artifacts):
    port = str(listener.getsockname()[1])
    command = [sys.executable, "-m", "slipway.service", "--port", port]
    environment = os.environ | {"SLIPWAY_ARTIFACT": str(artifacts["linear"])}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr.startswith("slipway: ") and "in use" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of BentoML's dependencies
def test_bentomls_own_client_works(start, artifacts):
    import bentoml

    worker = start(artifacts["linear"])
    with bentoml.SyncHTTPClient(worker.url) as client:
        assert client.predict(inputs={"x": [[3], [4]]}) == {"outputs": {"y": [[5.0], [7.0]]}}


def test_the_supervisors_end_is_the_workers_end(start, artifacts):
    worker = start(artifacts["linear"])
    worker.leave()
    assert worker.end() == (0, "")


def test_sigterm_answers_what_is_in_flight(start, artifacts, listener):
    worker = start(artifacts["classifier"])
    body = json.dumps(GOOD).encode()
    head = HEAD + b"content-length: %d\r\n\r\n" % len(body)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(listener.getsockname())) for _ in range(20)]
        for client in clients:
            client.sendall(head + body[:10])
        time.sleep(0.2)
        worker.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        for client in clients:
            client.sendall(body[10:])
        answers = [to_end(client) for client in clients]
    assert all(answer.startswith(b"HTTP/1.1 200") and b"probability" in answer for answer in answers)
    assert worker.end() == (0, "")


def to_end(client):
    """All that comes until the server closes the connection."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def test_a_rolling_change_loses_no_request_of_a_busy_keep_alive_client(start, artifacts):
    old = start(artifacts["linear"])

    def ask(seconds):
        with httpx.Client(base_url=old.url) as client:
            end, answers = time.monotonic() + seconds, []
            while time.monotonic() < end:
                answers.append(client.post("/predict", json={"inputs": {"x": [3]}}).status_code)
        return answers

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(ask, 2.5) for _ in range(4)]
        new = start(artifacts["linear"])
        assert new.ready
        old.process.terminate()
        answers = [status for client in clients for status in client.result()]
    assert old.end() == (0, "")
    assert len(answers) > 200 and set(answers) == {200}


def test_the_counts_of_two_workers_add_up_whichever_is_asked(start, artifacts, counters):
    workers = [start(artifacts["linear"], counters=counters) for _ in range(2)]
    each_its_connection = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
    with each_its_connection as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        requests = [{"inputs": {"x": [3]}}] * 200 + [{"inputs": {}}] * 10
        list(pool.map(lambda request: client.post(f"{workers[0].url}/predict", json=request), requests))
    for _ in range(4):
        assert counts(workers[0]) == {"200": 200.0, "400": 10.0}
    workers[0].process.kill()
    workers[0].process.wait()
    assert counts(workers[1]) == {"200": 200.0, "400": 10.0}
    again = start(artifacts["linear"], counters=counters, slot=0)  # in the place of the one that died
    assert counts(again) == counts(workers[1]) == {"200": 200.0, "400": 10.0}


def test_requests_in_work_are_those_of_living_workers(start, artifacts, listener, counters):
    first = start(artifacts["linear"], counters=counters)
    for status in (200, 400):
        body = {"inputs": {"x": [3]}} if status == 200 else {}
        assert httpx.post(f"{first.url}/predict", json=body).status_code == status
    assert in_work(first) == 0
    with socket.create_connection(listener.getsockname(), timeout=60) as client:
        client.sendall(HEAD + b"content-length: 9\r\n\r\n{")
        end = time.monotonic() + 10
        while in_work(first) != 1:
            assert time.monotonic() < end
        second = start(artifacts["linear"], counters=counters)
        assert in_work(second) == 1
        first.process.kill()
        first.process.wait()
        assert in_work(second) == 0
    assert counts(second) == {"200": 1.0, "400": 1.0}


def in_work(worker):
    text = httpx.get(worker.metrics).text
    (found,) = re.findall(
        r'^bentoml_service_request_in_progress\{.*slipway_endpoint="/predict"\} ([\d.]+)$', text, re.MULTILINE
    )
    return float(found)


def counts(worker):
    text = httpx.get(worker.metrics).text
    line = r'^bentoml_service_request_total\{http_response_code="(\d+)",.*slipway_endpoint="/predict"\} ([\d.]+)$'
    found = re.findall(line, text, re.MULTILINE)
    assert 'service_name="linear"' in text
    return {code: float(value) for code, value in found}


def test_a_body_over_the_limit_is_refused_while_it_still_comes(start, artifacts, listener):
    start(artifacts["linear"])
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(listener.getsockname(), timeout=60) as client:
        client.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(20):
            client.sendall(chunk)
        assert client.recv(100).startswith(b"HTTP/1.1 413")
    with socket.create_connection(listener.getsockname(), timeout=60) as client:
        client.sendall(HEAD + b"content-length: 99000000\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_given_up(start, artifacts, listener):
    start(artifacts["linear"], "--body-seconds", "0.3")
    with socket.create_connection(listener.getsockname(), timeout=60) as client:
        client.sendall(HEAD + b"content-length: 9\r\n\r\n{")
        assert client.recv(100).startswith(b"HTTP/1.1 408")
