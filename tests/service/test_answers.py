"""Answers are ONNX Runtime's, for one sample and for a batch, on the hot path and through BentoML."""

import json
import re

import httpx
import numpy as np
import pytest
from slipway.service.api.responses import answer
from slipway.service.artifact import Signature, TensorSpec
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.samples.validation import Samples
from slipway.service.settings import Settings

from tests.service.conftest import EXAMPLES, runtime

# BentoML uses names that pathspec and pydantic have deprecated.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
BATCH = np.random.default_rng(7).uniform(-5, 5, (5, 4)).round(3).tolist()


@pytest.mark.parametrize("name", EXAMPLES)
async def test_one_sample_is_answered_as_onnx_runtime_does(name, artifacts, client_of):
    async with client_of(name) as client:
        response = await client.post("/predict", json={"inputs": EXAMPLES[name]})
    expected = runtime(artifacts[name], {key: [value] for key, value in EXAMPLES[name].items()})[0][0]
    assert response.status_code == 200
    (output,) = response.json()["outputs"].values()
    assert np.array_equal(np.array(output, expected.dtype), expected)


async def test_a_batch_is_answered_in_order_with_labels_and_probabilities(artifacts, client_of):
    async with client_of("classifier") as client:
        answer = (await client.post("/predict", json={"inputs": {"features": BATCH}})).json()
    expected = runtime(artifacts["classifier"], {"features": BATCH})[0]
    assert np.array_equal(np.float32(answer["outputs"]["probabilities"]), expected)
    assert answer["label"] == [("low", "middle", "high")[best] for best in expected.argmax(axis=1)]
    assert np.array_equal(np.float32(answer["probability"]), expected.max(axis=1))


@pytest.mark.parametrize(("scores", "probable"), [([0.1, 0.9], True), ([0.1, 3.0], False), ([-0.2, -0.1], False)])
async def test_a_probability_lies_between_0_and_1_or_is_not_answered(scores, probable):
    tensor = TensorSpec(name="scores", dtype="float32", shape=(None, 2))
    signature = Signature(name="m", task="classification", inputs=(tensor,), outputs=(tensor,), labels=("no", "yes"))
    outputs = {"scores": np.array([scores, scores], np.float32)}
    for single, count in ((True, 1), (False, 2)):
        found = answer({"scores": outputs["scores"][:count]}, Samples({}, count, single), signature)
        assert found["label"] == ("yes" if single else ["yes", "yes"])
        assert ("probability" in found) == probable


async def test_one_sample_has_one_label_and_a_regression_none(client_of):
    async with client_of("classifier") as client:
        answer = (await client.post("/predict", json={"inputs": EXAMPLES["classifier"]})).json()
        assert answer["label"] == "high"
        assert answer["probability"] == max(answer["outputs"]["probabilities"])
    async with client_of("linear") as client:
        assert (await client.post("/predict", json={"inputs": {"x": [3]}})).json() == {"outputs": {"y": [5.0]}}


async def test_a_slow_model_runs_beside_the_event_loop(artifacts):
    model = load_model(artifacts["linear"])
    model.seconds, before = 1.0, model.seconds
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(App(model, Settings(access="open"))), base_url="http://service"
        ) as client:
            response = await client.post("/predict", json={"inputs": {"x": [[1], [2]]}})
    finally:
        model.seconds = before
    assert response.json() == {"outputs": {"y": [[1.0], [3.0]]}}


async def test_a_draining_process_sends_its_clients_elsewhere(artifacts):
    app = App(load_model(artifacts["linear"]), Settings(access="open"))
    app.draining = True
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        assert (await client.get("/readyz")).status_code == 503
        response = await client.post("/predict", json={"inputs": {"x": [3]}})
    assert (response.status_code, response.headers["connection"]) == (200, "close")


async def test_every_answer_carries_a_request_id(client_of):
    async with client_of("linear") as client:
        ids = [(await client.get(path)).headers["x-request-id"] for path in ("/livez", "/readyz", "/", "/predict")]
        assert len(set(ids)) == 4
        given = await client.get("/livez", headers={"x-request-id": "abc-1"})
        assert given.headers["x-request-id"] == "abc-1"
        forged = await client.get("/livez", headers={"x-request-id": "a b"})
        assert forged.headers["x-request-id"] != "a b"


async def test_the_index_names_the_model_and_nothing_of_the_machine(artifacts, client_of):
    async with client_of("linear") as client:
        about = (await client.get("/")).json()
    digest = load_model(artifacts["linear"]).artifact.digest
    told = ("name", "digest", "task", "version", "explains")
    assert [about[name] for name in told] == ["linear", digest, "regression", digest[7:19], False]
    assert Signature.from_json(about["model"]) == load_model(artifacts["linear"]).signature
    assert about["limits"] == {"samples": 1024, "bytes": 1_000_000}


async def test_bentoml_answers_to_the_byte_what_the_hot_path_answers(artifacts, client_of, monkeypatch):
    monkeypatch.setenv("SLIPWAY_ARTIFACT", str(artifacts["classifier"]))
    from slipway.service.http.bento_service import service

    bentoml = service.to_asgi()
    other = httpx.AsyncClient(transport=httpx.ASGITransport(bentoml), base_url="http://service")
    good = [EXAMPLES["classifier"], {"features": BATCH}]
    bad = [{"features": [1, 2, 3]}, {"features": [[1, 2, None, 4]]}, {"features": [1, 2, 3, 1e39]}, {}]
    async with client_of("classifier") as client, bentoml.router.lifespan_context(bentoml), other:
        for inputs in good + bad:
            ours = await client.post("/predict", json={"inputs": inputs})
            theirs = await other.post("/predict", json={"inputs": inputs})
            own_id = f',"requestId":"{ours.headers["x-request-id"]}"'.encode()
            assert (ours.status_code, ours.content.replace(own_id, b"")) == (theirs.status_code, theirs.content)
            assert ours.status_code == (200 if inputs in good else 400)


async def test_what_is_not_ours_goes_to_bentoml_and_its_refusals_are_in_our_form(artifacts, monkeypatch):
    monkeypatch.setenv("SLIPWAY_ARTIFACT", str(artifacts["linear"]))
    app = App(load_model(artifacts["linear"]), Settings(access="open"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        document = await client.get("/docs.json")
        assert "/predict" in document.json()["paths"]
        assert document.headers["x-request-id"]
        missing = await client.get("/nowhere")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        metrics = app.metrics.text().decode()
    assert re.search('http_response_code="404",.*slipway_endpoint="other"', metrics)
    assert "nowhere" not in metrics
    assert json.loads(document.content)["openapi"].startswith("3.")


@pytest.mark.parametrize(
    "path", ["/docs.json/", "/livez/", "//docs.json", "//other.example/docs.json/", "/schema.json/"]
)
async def test_no_answer_leads_to_another_scheme_or_host(path, client_of, artifacts, monkeypatch):
    monkeypatch.setenv("SLIPWAY_ARTIFACT", str(artifacts["linear"]))
    async with client_of("linear") as client:
        named = {"host": "other.example", "x-forwarded-proto": "https", "x-forwarded-host": "other.example"}
        response = await client.get(f"http://service{path}", headers=named)
    assert response.status_code == 404
    assert "location" not in response.headers and "other.example" not in str(response.headers)
