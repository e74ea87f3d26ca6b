"""The digits network, built for real and served as `make up` serves it, asked over HTTP."""

import json
import os
import re
import subprocess
import time
from urllib.request import Request, urlopen

import numpy as np
import onnxruntime
import pytest
from slipway.infra.home import ROOT
from slipway.infra.platforms.local import runtime
from slipway.infra.platforms.local.release import prepare, service_key
from slipway.infra.resources.command import slipway, slipway_json
from slipway.infra.runtime import ONNX

from tests.callers import HEADERS, KEY, access

SAMPLES, WATCHED = 40, 250
HELD_OUT = f"""
import sys; sys.path.insert(0, "models/digits")
import numpy as np, model
inputs, labels = model.evaluation_data()
np.savez(sys.argv[1], image=inputs["image"][:{WATCHED}], labels=labels[:{WATCHED}])
"""


@pytest.fixture(scope="module")
def digits():
    """Built once per machine and content; the store is the user's own."""
    return slipway_json("model", "build", "models/digits")


@pytest.fixture
def url(digits, free_port):
    python, code, artifact = prepare(ONNX, service_key(ONNX), f"{digits['uri']}@{digits['digest']}")
    owner = runtime.Owner("digits", "a test")
    release = runtime.Release(
        python=python, module=ONNX.module, code=code, artifact=artifact, workers=1, environment={}
    )
    runtime.roll(free_port, owner, release, access())
    yield f"http://127.0.0.1:{free_port}"
    runtime.stop(free_port, owner)


def predict(url, body):
    headers = {"content-type": "application/json", **HEADERS}
    with urlopen(Request(f"{url}/predict", data=body, headers=headers), timeout=60) as response:
        return json.loads(response.read())


@pytest.fixture(scope="module")
def held_out(digits, tmp_path_factory):
    file = tmp_path_factory.mktemp("held-out") / "samples.npz"
    python = slipway("venv", "models/digits/requirements.txt").strip()
    subprocess.run([python, "-c", HELD_OUT, str(file)], cwd=ROOT, check=True)
    with np.load(file) as samples:
        return samples["image"], samples["labels"]


def test_held_out_digits_are_answered_as_onnx_runtime_answers_them_and_rightly(digits, url, held_out):
    images, labels = (each[:SAMPLES] for each in held_out)
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


def test_the_readmes_example_of_tritons_client_runs(url):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    code = next(each for each in blocks if "tritonclient" in each)
    assert "127.0.0.1:3000" in code and "Bearer KEY" in code
    code = code.replace("127.0.0.1:3000", url.removeprefix("http://")).replace("Bearer KEY", f"Bearer {KEY}")
    python = slipway("venv", "tests/service/peers.txt").strip()
    done = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\d\.\d", done.stdout)) == 10


def drift(url):
    with urlopen(Request(f"{url}/status", headers=HEADERS), timeout=60) as response:
        return json.loads(response.read())["drift"]


@pytest.mark.parametrize(("change", "drifted"), [(lambda x: x, 0), (lambda x: 0.7 * x, 2)], ids=["held out", "fainter"])
def test_held_out_digits_are_no_drift_and_fainter_ones_are(change, drifted, url, held_out):
    for start in range(0, WATCHED, 50):
        body = {"inputs": {"image": change(held_out[0][start : start + 50]).tolist()}}
        predict(url, json.dumps(body).encode())
        time.sleep(1.1)  # fifty samples a second are looked at
    told = drift(url)
    assert (told["watched"], told["drifted"]) == (2, drifted), told
    assert told["samples"] >= 200


def test_a_supervisor_of_the_version_before_can_start_this_release(digits):
    """It runs `python -m service` in the release's folder."""
    python, code, _ = prepare(ONNX, service_key(ONNX), f"{digits['uri']}@{digits['digest']}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [python, "-m", "service", "--help"]
    said = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, check=True).stdout
    assert "--fd" in said and "--parent-fd" in said
