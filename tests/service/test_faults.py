"""Small forms of the faults that `make test-faults` commits in earnest."""

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections import Counter

import httpx
import pytest
from slipway.service.artifact import seal
from slipway.service.http.app import App
from slipway.service.inference.batching import Batcher
from slipway.service.inference.model import Model, load_model
from slipway.service.samples.validation import Samples, Validator
from slipway.service.settings import Settings
from slipway.service.telemetry.metrics import Metrics
from slipway.service.telemetry.timings import Timings

from bench.client import load, request
from tests.service import abuse


def port_of(worker):
    return int(worker.url.rpartition(":")[2])


def turns(count):
    return request("/predict", json.dumps({"inputs": {"turns": [count]}}).encode())


def test_one_bad_request_fails_no_other(start, artifacts):
    worker = start(artifacts["lookup"])
    asked, failed = asyncio.run(abuse.poison(port_of(worker), 12))
    assert (asked, failed) == (12 * 23, 0)


def test_a_failure_inside_a_batch_is_its_own_requests_alone(artifacts):
    model = Model(load_model(artifacts["lookup"]).artifact)
    model.batch = 32  # as if it were worth it

    async def ask():
        batcher = Batcher(model, Settings(), Metrics("lookup", "1"), Timings(model.signature))
        validator = Validator(model.signature, Settings())
        requests = [validator.nested({"inputs": {"ids": [n, 99 if n == 5 else 1]}}) for n in range(9)]
        return await asyncio.gather(*map(batcher.run, requests), return_exceptions=True)

    answers = asyncio.run(ask())
    assert (answers[5].status, answers[5].code) == (422, "model_refused")
    for number, answer in enumerate(answers):
        assert number == 5 or answer["values"].tolist() == [[float(number), 1.0]]


def test_requests_side_by_side_share_a_run_where_that_is_measured_to_be_faster(artifacts, monkeypatch):
    model = Model(load_model(artifacts["loop"]).artifact)
    samples = Validator(model.signature, Settings()).nested({"inputs": {"turns": [2000]}})
    clock = {1: 0.01, 2: 0.01, 4: 0.012, 16: 0.02, 32: 0.3}
    monkeypatch.setattr("slipway.service.inference.model._median_seconds", lambda call, _: clock[len(_rows(call))])
    model.warm_up(samples.inputs)
    assert (model.seconds, model.batch) == (0.01, 16)
    sizes = []
    run = model.run
    monkeypatch.setattr(
        model, "run", lambda inputs, options=None: sizes.append(len(inputs["turns"])) or run(inputs, options)
    )

    async def ask():
        batcher = Batcher(model, Settings(), Metrics("loop", "1"), Timings(model.signature))
        return await asyncio.gather(*(batcher.run(samples) for _ in range(4)))

    assert all(answer["y"].tolist() == [[2000.0]] for answer in asyncio.run(ask()))
    assert sizes == [4]


def _rows(call):
    return call.args[0]["turns"]


def test_a_model_whose_samples_see_each_other_is_never_batched(artifacts, monkeypatch):
    model = Model(load_model(artifacts["loop"]).artifact)
    samples = Validator(model.signature, Settings()).nested({"inputs": {"turns": [2000]}})
    run = model.run
    monkeypatch.setattr(
        model, "run", lambda inputs, options=None: {"y": run(inputs, options)["y"] + inputs["turns"].sum()}
    )
    samples.inputs["turns"][:] = 1999
    monkeypatch.setattr("slipway.service.inference.model.np.zeros_like", lambda array: array + 1)
    model.warm_up(samples.inputs)
    assert model.batch == 1


def test_a_deadline_ends_the_run_and_frees_its_place(start, artifacts):
    worker = start(artifacts["loop"], "--timeout-seconds", "0.5")
    with httpx.Client(base_url=worker.url) as client:
        begin = time.monotonic()
        late = client.post("/predict", json={"inputs": {"turns": [10**9]}}, timeout=60)
        assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")
        assert time.monotonic() - begin < 2
        begin = time.monotonic()
        assert client.post("/predict", json={"inputs": {"turns": [2000]}}).status_code == 200
        assert time.monotonic() - begin < 0.4


def test_what_is_too_much_is_refused_with_the_time_to_come_again(start, artifacts):
    worker = start(artifacts["loop"], "--max-queue", "2")
    long = turns(40_000)

    async def flood():
        return await load(port_of(worker), long, 40, 1.0)

    tally = asyncio.run(flood())
    assert set(tally.statuses) == {200, 429}
    with httpx.Client(base_url=worker.url) as client:
        assert client.post("/predict", json={"inputs": {"turns": [2000]}}).status_code == 200


def test_a_refusal_for_load_names_the_seconds(artifacts):
    model = load_model(artifacts["loop"])

    async def ask():
        app = App(model, Settings(max_queue=0, access="open"))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return [
                await client.post(path, json={"inputs": {"turns": [1]}})
                for path in ("/predict", "/v2/models/loop/infer")
            ]

    for response in asyncio.run(ask()):
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")


def test_slow_clients_are_ended_and_harm_nobody(start, artifacts):
    worker = start(artifacts["classifier"], "--header-seconds", "1", "--body-seconds", "1")
    good, closed, longest = asyncio.run(abuse.slow_sockets(port_of(worker), 50, 4.5))
    assert abuse.only_ok(good)
    assert closed == 50
    assert longest < 4


def test_a_client_that_does_not_read_is_cut_off(start, artifacts):
    worker = start(artifacts["classifier"], "--body-seconds", "1", "--max-batch", "200000", "--max-body", "9000000")
    batch = json.dumps({"inputs": {"features": [[1, 2, 3, 4]] * 150_000}}).encode()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port_of(worker)))
        client.sendall(request("/predict", batch))
        end = time.monotonic() + 60
        while gauge(worker, "slipway_connections") > 1:
            assert time.monotonic() < end
            time.sleep(0.2)


def gauge(worker, name):
    text = httpx.get(worker.metrics).text
    return float(next(line for line in text.splitlines() if line.startswith(f"{name}{{")).rpartition(" ")[2])


def test_a_head_has_a_size_and_a_form(start, artifacts, listener):
    start(artifacts["classifier"])
    for said, status in (
        (b"GET / HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 100_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 140, b"431"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-a: " + b"a" * 400_000, b"4"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"POST /predict HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", b"400"),
        (b"POST /predict HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", b"400"),
    ):
        with socket.create_connection(listener.getsockname(), timeout=60) as client:
            client.sendall(said)
            answer = client.recv(1000)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b'{"error":{"code":' in answer


def test_an_upgrade_that_is_not_taken_leaves_no_connection_hanging(start, artifacts, listener):
    start(artifacts["classifier"])
    upgrade = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    with socket.create_connection(listener.getsockname(), timeout=60) as client:
        client.sendall(upgrade)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer


def test_no_worker_takes_all_connections(start, artifacts, counters):
    workers = [start(artifacts["classifier"], counters=counters) for _ in range(2)]
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(workers[0]))))
        end = time.monotonic() + 60
        while sum(counts := [connections(worker) for worker in workers]) < 8 and time.monotonic() < end:
            time.sleep(0.1)
        assert sum(counts) == 8 and min(counts) >= 2  # four each, where nothing else wants the cores


def connections(worker):
    import psutil

    found = psutil.Process(worker.process.pid).net_connections()
    return sum(each.status == psutil.CONN_ESTABLISHED for each in found)


def test_a_body_without_length_is_refused_before_it_is_read(start, artifacts):
    worker = start(artifacts["classifier"])
    before, _, _ = abuse.resources(worker.process.pid)
    status, sent = asyncio.run(abuse.too_large(port_of(worker), 100_000_000))
    after, _, _ = abuse.resources(worker.process.pid)
    assert status == 413
    assert sent < 20_000_000
    assert after - before < 20_000_000


def test_sigterm_answers_a_hundred_in_flight(start, artifacts):
    worker = start(artifacts["loop"])
    slow = turns(3000)  # some 15 ms, and all hundred wait for it

    async def ask():
        pairs = [await asyncio.open_connection("127.0.0.1", port_of(worker)) for _ in range(100)]
        for _, writer in pairs:
            writer.write(slow)
        await asyncio.sleep(0.3)
        worker.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*(reader.read() for reader, _ in pairs))
        for _, writer in pairs:
            writer.close()
        return answers

    answers = asyncio.run(ask())
    assert Counter(answer[:12] for answer in answers) == {b"HTTP/1.1 200": 100}
    assert worker.end() == (0, "")


def test_generated_requests_find_no_failure(start, classifier, peers, access_file):
    for name in ("card.md", "report.json", "variants.png"):  # what a built artifact has besides
        (classifier / name).write_text("{}")
    seal(classifier)
    worker = start(classifier, SLIPWAY_ACCESS=access_file)
    cases, _ = abuse.fuzz(peers, worker.url, 5)
    assert cases > 100


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_provider_that_is_not_there_is_not_replaced(provider, start, artifacts):
    import onnxruntime

    if f"{provider}executionprovider" in map(str.lower, onnxruntime.get_available_providers()):
        pytest.skip(f"{provider} is here")
    begin = time.monotonic()
    worker = start(artifacts["classifier"], "--provider", provider)
    code, errors = worker.end()
    assert (code, worker.ready) == (1, b"")
    assert errors == f"slipway: provider {provider}: the installed ONNX Runtime has cpu only\n"
    assert time.monotonic() - begin < 10


def test_a_session_on_another_provider_than_asked_for_is_refused(monkeypatch, artifacts):
    """ONNX Runtime takes the CPU where a library of the GPU is missing, and only warns."""
    from slipway.service.artifact import ArtifactError
    from slipway.service.inference import providers

    monkeypatch.setattr(providers.onnxruntime, "get_available_providers", lambda: list(providers._NAMES.values()))
    monkeypatch.setattr(providers.onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr("warnings.warn", lambda *_, **__: None)
    with pytest.raises(ArtifactError, match="provider cuda: no device"):
        providers.session(str(artifacts["linear"] / "model.onnx"), "cuda", 1)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_gpu_answers_as_the_cpu_does(provider, artifacts):
    import onnxruntime

    if f"{provider}executionprovider" not in map(str.lower, onnxruntime.get_available_providers()):
        pytest.skip(f"no {provider} in this ONNX Runtime: install service/requirements-gpu.txt on a machine with a GPU")
    import numpy as np

    for name in ("classifier", "linear", "pair"):
        artifact = load_model(artifacts[name]).artifact
        there, here = Model(artifact, provider), Model(artifact)
        inputs = Validator(there.signature, Settings()).nested(artifact.read("example")).inputs
        for output, values in here.run(inputs).items():
            assert np.allclose(there.run(inputs)[output], values, 1e-3, 1e-3)


def test_bound_inputs_and_outputs_give_the_same_answer(artifacts):
    model = Model(load_model(artifacts["pair"]).artifact)
    samples: Samples = Validator(model.signature, Settings()).nested({"inputs": {"a": [1, 2], "b": [3, 4]}})
    (bound,) = model._run_on_device(samples.inputs, None)
    assert bound.tolist() == model.run(samples.inputs)["sum"].tolist() == [[4.0, 6.0]]
