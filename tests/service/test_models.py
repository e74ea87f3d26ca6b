"""Requests of the kinds that the example models take: missing values, and a bare string for a sample."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from slipway.service.artifact import TensorSpec, load
from slipway.service.errors import Refused
from slipway.service.http.app import App
from slipway.service.inference.model import Model, load_model
from slipway.service.samples.validation import Validator
from slipway.service.settings import Settings

from tests.service.conftest import ROOT

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def served(path):
    transport = httpx.ASGITransport(App(load_model(path), Settings(access="open")))
    return httpx.AsyncClient(transport=transport, base_url="http://service")


@pytest.fixture(scope="module")
def examples():
    """Artifacts of two of the models that come with the project; built where the user's store lacks them."""
    command = [sys.executable, "-m", "slipway.cli", "model", "build", "models/tumours", "models/language", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {each["name"]: Path(each["path"]) for each in map(json.loads, done.stdout.splitlines())}


@pytest.fixture
def gaps(artifacts):
    """Validation of two numbers of which any may be missing."""
    signature = load(artifacts["pair"]).signature
    spec = TensorSpec(name="a", dtype="float32", shape=(None, 2), minimum=0.0, maximum=1.0, nullable=True)
    return lambda **settings: Validator(replace(signature, inputs=(spec,)), Settings(**settings))


async def test_null_is_a_missing_value_where_the_signature_says_so(gaps):
    samples = gaps().json(b'{"inputs": {"a": [[null, 1], [2, null]]}}')
    np.testing.assert_array_equal(samples.inputs["a"], np.array([[np.nan, 1], [2, np.nan]], "float32"))
    alone = gaps().json(b'{"inputs": {"a": [null, null]}}')
    assert alone.single
    assert np.isnan(alone.inputs["a"]).all()


async def test_a_missing_value_is_never_out_of_range_and_its_neighbours_are_held_to_theirs(gaps):
    checked = gaps(limit_range=True)
    assert checked.json(b'{"inputs": {"a": [null, 0.5]}}').count == 1
    with pytest.raises(Refused, match=r"a\[1\]: 2 is outside 0 to 1"):
        checked.json(b'{"inputs": {"a": [null, 2]}}')
    with pytest.raises(Refused, match="not a finite"):
        gaps().json(b'{"inputs": {"a": [null, 1e39]}}')


async def test_null_is_refused_where_training_saw_no_missing_value(client_of):
    async with client_of("classifier") as client:
        answer = await client.post("/predict", json={"inputs": {"features": [1, None, 3, 4]}})
        tensor = {"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [1, None, 3, 4]}
        infer = await client.post("/v2/models/classifier/infer", json={"inputs": [tensor]})
    assert (answer.status_code, infer.status_code) == (400, 400)
    assert "features[1]" in answer.json()["error"]["message"]
    assert "features" in infer.json()["error"]


async def test_tumours_answer_rows_with_gaps_by_json_bytes_and_open_inference(examples):
    path = examples["tumours"]
    row = load(path).read("example")["inputs"]["measurements"]
    row = [None, *row[1:-1], None]
    raw = np.array([row], "float32")
    expected = Model(load(path)).run({"measurements": raw})["probabilities"][0]
    async with served(path) as client:
        document = (await client.get("/openapi.json")).json()
        answers = [await client.post("/predict", json={"inputs": {"measurements": row}})]
        answers.append(
            await client.post(
                "/predict",
                content=raw[0].tobytes(),
                headers={"content-type": "application/octet-stream", "accept": "application/json"},
            )
        )
        tensor = {"name": "measurements", "datatype": "FP32", "shape": [1, 30], "data": row}
        infer = await client.post("/v2/models/tumours/infer", json={"inputs": [tensor]})
    for answer in answers:
        assert answer.status_code == 200, answer.text
        np.testing.assert_allclose(answer.json()["outputs"]["probabilities"], expected, rtol=1e-5)
        assert answer.json()["label"] in ("malignant", "benign")
    assert infer.status_code == 200, infer.text
    np.testing.assert_allclose(infer.json()["outputs"][0]["data"], expected, rtol=1e-5)
    assert '"null"' in json.dumps(document)


async def test_languages_are_told_from_a_bare_string_and_from_a_list_of_them(examples):
    async with served(examples["language"]) as client:
        one = await client.post("/predict", json={"inputs": {"text": "Bitte geben Sie eine gültige Adresse ein"}})
        two = await client.post(
            "/predict", json={"inputs": {"text": ["Introduzca un valor", "Ange ett giltigt värde"]}}
        )
        number = await client.post("/predict", json={"inputs": {"text": 5}})
        tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Veuillez saisir une adresse valide"]}
        infer = await client.post("/v2/models/language/infer", json={"inputs": [tensor]})
    assert one.json()["label"] == "German"
    assert len(one.json()["outputs"]["probabilities"]) == 6
    assert two.json()["label"] == ["Spanish", "Swedish"]
    assert number.status_code == 400
    assert infer.status_code == 200, infer.text
    assert len(infer.json()["outputs"][0]["data"]) == 6
