"""The digits network, built for real and served as `make up` serves it, asked over HTTP."""

import json
import subprocess
from urllib.request import Request, urlopen

import numpy as np
import onnxruntime
import pytest

from infra.config import ROOT
from infra.platforms.local import runtime
from infra.platforms.local.release import prepare, service_key
from infra.slipway import slipway, slipway_json
from tests.callers import HEADERS, access

SAMPLES = 40
HELD_OUT = f"""
import sys; sys.path.insert(0, "models/digits")
import numpy as np, model
inputs, labels = model.evaluation_data()
np.savez(sys.argv[1], image=inputs["image"][:{SAMPLES}], labels=labels[:{SAMPLES}])
"""


@pytest.fixture(scope="module")
def digits():
    """Built once per machine and content; the store is the user's own."""
    return slipway_json("model", "build", "models/digits")


@pytest.fixture
def url(digits, free_port):
    python, code, artifact = prepare(service_key(), f"{digits['uri']}@{digits['digest']}")
    owner = runtime.Owner("digits", "a test")
    release = runtime.Release(python=python, code=code, artifact=artifact, workers=1, environment={})
    runtime.roll(free_port, owner, release, access())
    yield f"http://127.0.0.1:{free_port}"
    runtime.stop(free_port, owner)


def predict(url, body):
    headers = {"content-type": "application/json", **HEADERS}
    with urlopen(Request(f"{url}/predict", data=body, headers=headers), timeout=60) as response:
        return json.loads(response.read())


def test_held_out_digits_are_answered_as_onnx_runtime_answers_them_and_rightly(digits, url, tmp_path):
    python = slipway("env", "models/digits/requirements.txt").strip()
    subprocess.run([python, "-c", HELD_OUT, str(tmp_path / "held-out.npz")], cwd=ROOT, check=True)
    with np.load(tmp_path / "held-out.npz") as held_out:
        images, labels = held_out["image"], held_out["labels"]
    session = onnxruntime.InferenceSession(f"{digits['path']}/model.onnx")
    right = 0
    for image, label in zip(images, labels, strict=True):
        answer = predict(url, json.dumps({"inputs": {"image": image.tolist()}}).encode())
        (expected,) = session.run(None, {"image": image[None]})
        np.testing.assert_allclose(answer["outputs"]["probabilities"], expected[0], rtol=1e-5, atol=1e-7)
        right += answer["label"] == str(label)
    assert right >= 0.9 * SAMPLES


def test_the_example_of_the_artifact_is_a_request_that_works_as_it_is(digits, url):
    with open(f"{digits['path']}/example.json", "rb") as example:
        answer = predict(url, example.read())
    with open(f"{digits['path']}/example.response.json", "rb") as expected:
        assert answer["label"] == json.loads(expected.read())["label"]
