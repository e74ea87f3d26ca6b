"""The client against real servers: numpy in and out, errors by kind, and retries where they are safe and only there."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
import zipfile

import httpx
import numpy as np
import pytest
from slipway.service.client import (
    AsyncClient,
    BadRequest,
    Client,
    Conflict,
    DeadlineExceeded,
    NotAllowed,
    Overloaded,
    Retry,
    ServiceFailed,
    SlipwayError,
    Unreachable,
    WrongInput,
)
from slipway.service.client.tensors import decode, encode, fitted

from tests.callers import KEY
from tests.service import faults11
from tests.service.conftest import EXAMPLES, MODELS, ROOT, make_artifact
from tests.service.conftest import runtime as onnx

QUICK = Retry(attempts=4, first=0.001, longest=0.01)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_model_answers_as_onnx_runtime_does_for_one_sample_and_for_a_batch(name, start, artifacts):
    worker = start(artifacts[name])
    one = EXAMPLES[name]
    expected = onnx(artifacts[name], {key: [value, value] for key, value in one.items()})[0]
    with Client(worker.url) as client:
        single = client.predict(one)
        batch = client.predict({key: [value, value] for key, value in one.items()})
        assert client.example() == one
    assert np.array_equal(single.output, expected[0])
    assert np.array_equal(batch.output, expected)
    assert batch.output.dtype == expected.dtype
    if labels := MODELS[name]["labels"]:
        assert single.label == labels[expected[0].argmax()]
        assert batch.label == [single.label] * 2
        assert single.probability == pytest.approx(expected[0].max())


def test_async_is_the_same_and_keeps_its_connections_open(start, artifacts, access_file):
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=access_file)

    async def run():
        async with AsyncClient(worker.url, KEY) as client:
            about = await client.about()
            answers = await asyncio.gather(*(client.predict(np.float32([at, 1, 2, 3])) for at in range(20)))
            told = await client.feedback(answers[0].token, answers[0].label)
            why = await client.explain(np.float32([1, 2, 3, 4]), target="low")
            return about, answers, told, why, await client.status()

    about, answers, told, why, status = asyncio.run(run())
    expected = onnx(artifacts["classifier"], {"features": [[at, 1, 2, 3] for at in range(20)]})[0]
    assert np.array_equal(np.stack([answer.output for answer in answers]), expected)
    assert {answer.version for answer in answers} == {about["version"]} != {""}
    assert told == {"counted": 1, "right": 1}
    assert why.attributions["features"].sum() == pytest.approx(why.value - why.baseline, abs=1e-6)
    assert status["answers"]["/v2/infer"] == {"200": 20}
    assert status["queue"]["connections"] <= 20


def test_refusals_are_raised_by_kind_with_code_field_and_sample(start, artifacts, access_file):
    worker = start(artifacts["lookup"], SLIPWAY_ACCESS=access_file)
    with Client(worker.url, KEY, retry=None) as client:
        with pytest.raises(BadRequest) as raised:
            client.predict({"ids": np.int64([99, 1])})
        assert (raised.value.status, raised.value.code) == (422, "model_refused")
        assert raised.value.request_id
        with pytest.raises(BadRequest) as raised:
            client.feedback("AAAA", "low")
        assert (raised.value.field, raised.value.code) == ("token", "wrong_token")
    with Client(worker.url, "wrong" * 10) as client, pytest.raises(NotAllowed, match="wrong_credentials"):
        client.about()


def answering(*statuses, **headers):
    """A transport whose answers have these statuses one after the other, and the list of what it was asked."""
    asked = []

    def answer(request):
        asked.append(request.url.path)
        status = statuses[min(len(asked), len(statuses)) - 1]
        if status == "broken":
            raise httpx.ReadError("reset", request=request)
        if status == "absent":
            raise httpx.ConnectError("refused", request=request)
        body = {"service": {}, "counted": 1} if status == 200 else {"error": {"code": "x", "message": "y"}}
        return httpx.Response(status, json=body, headers=headers)

    return httpx.MockTransport(answer), asked


@pytest.mark.parametrize("failure", ["broken", "absent", 429, 502, 503, 504])
def test_what_may_be_repeated_is(failure):
    transport, asked = answering(failure, failure, 200)
    assert Client("http://x", transport=transport, retry=QUICK).status()["counted"] == 1
    assert len(asked) == 3


@pytest.mark.parametrize(("failure", "times"), [("broken", 1), (502, 1), (504, 1), ("absent", 3), (429, 3), (503, 3)])
def test_feedback_is_sent_again_only_where_it_surely_was_not_counted(failure, times):
    transport, asked = answering(failure, failure, 200)
    client = Client("http://x", transport=transport, retry=QUICK)
    if times == 1:
        with pytest.raises((Unreachable, ServiceFailed)):
            client.feedback("token", "7")
    else:
        assert client.feedback("token", "7")["counted"] == 1
    assert len(asked) == times


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, BadRequest) for status in (400, 413, 422)),
        *((401, NotAllowed), (403, NotAllowed), (409, Conflict), (500, ServiceFailed)),
    ],
)
def test_what_stays_wrong_is_asked_once(status, kind):
    transport, asked = answering(status)
    with pytest.raises(kind):
        Client("http://x", transport=transport, retry=QUICK).status()
    assert len(asked) == 1


def test_retry_after_is_waited_for_and_a_deadline_is_kept():
    transport, asked = answering(429, 200, **{"retry-after": "1"})
    begin = time.monotonic()
    Client("http://x", transport=transport, retry=QUICK).status()
    assert 1 <= time.monotonic() - begin < 2
    transport, asked = answering(429, **{"retry-after": "60"})
    begin = time.monotonic()
    with pytest.raises(DeadlineExceeded) as raised:
        Client("http://x", transport=transport, retry=QUICK).status(deadline=0.2)
    assert time.monotonic() - begin < 1
    assert isinstance(raised.value.__cause__, Overloaded)
    assert len(asked) == 1


def test_a_server_that_never_answers_ends_at_the_deadline(free_port):
    import socket

    with socket.create_server(("127.0.0.1", free_port)):
        url = f"http://127.0.0.1:{free_port}"
        for ask in (Client(url).status, lambda deadline: asyncio.run(AsyncClient(url).status(deadline=deadline))):
            begin = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                ask(deadline=0.3)
            assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros((2, 3), np.float32), "a sample is 4"),
        (np.zeros(4, complex), "takes float32"),
        (np.array(["a"] * 4), "takes float32"),
        ({"other": np.zeros(4)}, "the model takes features"),
        ([[1, 2], [3]], "features"),
        (["a", 1, 2, 3], "features"),
    ],
)
def test_input_that_does_not_fit_is_refused_before_anything_is_sent(value, reason):
    with pytest.raises(WrongInput, match=reason):
        fitted(value, MODELS["classifier"]["inputs"])


def test_numbers_become_the_model_s_own_and_texts_and_gaps_survive():
    specs = MODELS["classifier"]["inputs"]
    arrays, single = fitted([1, None, 3, 4.5], specs)
    assert single and arrays["features"].dtype == np.float32 and np.isnan(arrays["features"][0, 1])
    assert fitted(np.arange(8).reshape(2, 4), specs)[0]["features"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    texts = {"text": np.array([["ä"], [""], ["x" * 300]], object)}
    body, headers = encode(texts, MODELS["echo"]["inputs"])
    length = int(headers["inference-header-content-length"])
    head = json.loads(body[:length])
    answer = json.dumps({"outputs": head["inputs"]}).encode()
    assert decode(answer + body[length:], str(len(answer)))["text"].tolist() == [["ä"], [""], ["x" * 300]]


def test_an_answer_of_something_else_is_an_error_of_ours():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"name": "other"}))
    with pytest.raises(SlipwayError, match="not a service of Slipway"):
        Client("http://x", transport=transport).predict([1])


def test_a_key_never_follows_a_redirect():
    seen = []

    def answer(request):
        seen.append(str(request.url))
        return httpx.Response(307, headers={"location": "http://elsewhere/v2"})

    with pytest.raises(SlipwayError):
        Client("http://x", KEY, transport=httpx.MockTransport(answer)).about()
    assert seen == ["http://x/v2"]


def test_it_installs_on_its_own_and_needs_httpx_and_numpy_alone(tmp_path):
    source = tmp_path / "client"
    shutil.copytree(ROOT / "service" / "client", source, ignore=shutil.ignore_patterns("__pycache__"))
    uv = f"{sys.prefix}/bin/uv"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if name.endswith(".py")}
        metadata = opened.read(next(name for name in opened.namelist() if name.endswith("METADATA"))).decode()
        opened.extractall(tmp_path / "alone")
    assert names == {f"slipway_client/{file.name}" for file in (ROOT / "service" / "client").glob("*.py")}
    needed = [line.split(": ")[1] for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert [each.split(">")[0] for each in needed] == ["httpx", "numpy"]
    code = "import slipway_client, sys; print(slipway_client.Client, 'service' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "alone", capture_output=True, text=True, check=True
    )
    assert "False" in done.stdout


def test_workers_are_killed_and_no_request_is_lost(slipway_home, free_port, tmp_path):
    make_artifact(tmp_path / "artifact", "classifier")
    found = faults11.kill_workers(free_port, tmp_path / "artifact", seconds=4, every=1.0)
    assert found.kills
    assert found.lost == 0 and found.wrong == 0
    assert found.answered > found.kills


def test_without_retries_only_what_a_killed_worker_held_is_lost(slipway_home, free_port, tmp_path):
    make_artifact(tmp_path / "artifact", "classifier")
    found = faults11.kill_workers(free_port, tmp_path / "artifact", seconds=4, every=1.0, retry=None)
    assert found.wrong == 0
    assert found.lost <= found.kills * faults11.CALLERS
