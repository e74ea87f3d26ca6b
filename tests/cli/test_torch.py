"""Pre-trained networks in PyTorch, from the package that ships them to an artifact that is served."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from slipway.infra.home import ROOT
from slipway.service.artifact import load
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.skipif(
        "SLIPWAY_TORCH" not in os.environ, reason="PyTorch is an extra of six gigabytes: SLIPWAY_TORCH=1 installs it"
    ),
]


@pytest.fixture(scope="module")
def built():
    folders = ["tests/models/sentences", "tests/models/transfer"]
    command = [sys.executable, "-m", "slipway.cli", "model", "build", *folders, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {each["name"]: load(Path(each["path"])) for each in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize(("name", "least"), [("sentences", 0.95), ("transfer", 0.9)])
def test_a_pre_trained_network_answers_in_onnx_as_in_torch_and_its_choice_keeps_the_budget(built, name, least):
    report = built[name].read("report")
    served = next(each for each in report["variants"] if each["name"] == report["choice"]["variant"])
    assert report["training"]["framework"] == "pytorch"
    assert report["conversion"]["maxAbsDiff"] < 1e-3
    assert served["metric"] >= least
    assert served["dropUpper95"] <= report["metric"]["budget"]
    assert report["provenance"]["license"] == "Apache-2.0"


@pytest.mark.parametrize("name", ["sentences", "transfer"])
async def test_it_answers_its_example_when_served(built, name):
    example, expected = built[name].read("example"), built[name].read("example.response")
    transport = httpx.ASGITransport(App(load_model(built[name].path), Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.post("/predict", json=example)
    assert answer.status_code == 200, answer.text
    for output, values in expected["outputs"].items():
        assert answer.json()["outputs"][output] == pytest.approx(values, abs=1e-4)
