"""`slipway doctor` against real processes: what they know, and what looks wrong with them."""

import json
import os
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from slipway.infra.home import ROOT
from slipway.service.artifact import seal
from slipway.service.client import Explanation
from slipway.service.telemetry.drift import FEWEST
from slipway.service.telemetry.features import reference

from slipway.cli.attributions import show as show_credits
from slipway.cli.doctor import _show as show_service
from slipway.cli.tables import print_refusal
from tests.callers import HEADERS, KEY, access, entry
from tests.service.conftest import artifacts, classifier, listener, start

__all__ = ["artifacts", "classifier", "listener", "start"]


def doctor(url, *options, key=KEY):
    command = [sys.executable, "-m", "slipway.cli", "doctor", "--url", url, *options]
    environment = {**os.environ, "SLIPWAY_KEY": key, "COLUMNS": "160"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def closed(tmp_path, **more):
    file = tmp_path / "access.json"
    file.write_text(access(**more))
    file.chmod(0o600)
    return str(file)


def test_a_well_service_is_told_in_one_screen(start, artifacts, tmp_path):
    rules = closed(tmp_path, keys=[entry(), entry("old", "k" * 40, expires="2020-01-01T00:00:00Z")])
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=rules)
    with httpx.Client(base_url=worker.url, headers=HEADERS) as client:
        answer = client.post("/predict", json={"inputs": {"features": [1, 2, 3, 4]}})
        client.post("/feedback", json={"token": answer.headers["x-prediction-token"], "label": answer.json()["label"]})
        refused = client.post("/predict", json={"inputs": {}})
    code, said = doctor(worker.url)
    assert code == 0, said
    for part in (
        "artifact", "sha256:", "classification", "onnxruntime 1.", "cpu, 1 thread", "1 up", "0 of 128 wait",
        "/predict 200: 1 400: 1", "1 scored, accuracy 1", "test, old until 2020-01-01T00:00:00+00:00",
        "missing_field", refused.headers["x-request-id"], "nothing looks wrong",
    ):  # fmt: skip
        assert part in said, (part, said)
    assert len(said.splitlines()) <= 24
    code, said = doctor(worker.url, "--json")
    told = json.loads(said)
    assert (code, told["name"], told["access"]["open"]) == (0, "classifier", False)
    assert KEY not in said and "5" * 64 not in said and str(tmp_path) not in said


def test_drift_and_failures_are_told_with_what_to_do(start, classifier):
    training = np.random.default_rng(1).normal(0, 1, (2000, 4)).astype(np.float32)
    (classifier / "statistics.json").write_text(json.dumps({"inputs": {"features": {"features": reference(training)}}}))
    seal(classifier)
    worker = start(classifier)
    shifted = training + np.float32([0, 0, 3, 0])
    with httpx.Client(base_url=worker.url) as client:
        end = time.monotonic() + 60
        # Fifty samples a second are looked at, and none is told as drifted before the two hundredth.
        while client.get("/status").json()["drift"]["samples"] < FEWEST and time.monotonic() < end:
            client.post("/predict", json={"inputs": {"features": shifted[:50].tolist()}})
            shifted = np.roll(shifted, -50, axis=0)
            time.sleep(0.2)
    code, said = doctor(worker.url)
    assert code == 1
    assert "1 of 4 inputs' features have drifted (features column 2): train anew" in said
    assert "nobody is asked for a key" in said
    metrics = httpx.get(worker.metrics).text
    assert "slipway_input_drifted{" in metrics and 'feature="column 2"' in metrics


def test_a_key_that_is_not_taken_and_a_service_that_is_not_there_are_told(start, artifacts, tmp_path, free_port):
    worker = start(artifacts["linear"], SLIPWAY_ACCESS=closed(tmp_path))
    code, said = doctor(worker.url, key="x" * 40)
    assert code == 1 and "the key is not taken (401): name one with --key-file or $SLIPWAY_KEY" in said
    code, said = doctor(f"http://127.0.0.1:{free_port}")
    assert code == 1 and "no answer" in said and "Traceback" not in said
    code, said = doctor("ftp://example.org")
    assert code == 1 and "--url ftp://example.org: not an address" in said


@pytest.mark.engine
@pytest.mark.parametrize("command", [("load",), ("doctor", "digits"), ("stack", "show")])
def test_a_stack_that_is_not_up_is_told_with_the_command_that_brings_it_up(command, tmp_path):
    path = os.pathsep.join([str(ROOT / ".slipway" / "bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PULUMI_BACKEND_URL": tmp_path.as_uri()}
    done = subprocess.run(
        [sys.executable, "-m", "slipway.cli", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == "error: stack dev is not up: make up STACK=dev, or name another with --stack\n"


def test_what_looks_like_markup_is_printed_as_it_is(capsys):
    odd = "[masked] [red] [/b] :bomb:"
    show_service("digits", "http://127.0.0.1:3000", {}, [f"its log ends: {odd}"])
    assert odd in capsys.readouterr().out
    figures = {"value": 1.0, "baseline": 0.0, "standard_error": 0.0, "evaluations": 2, "seconds": 0.1}
    words = tuple(odd.split())
    credits = {"text": np.array([0.4, 0.3, 0.2, 0.1])}
    show_credits(Explanation(method="shapley", target=odd, attributions=credits, words=words, **figures))
    said = capsys.readouterr().out
    assert odd in said and all(word in said for word in words)
    assert "give or take 0" in said and "too slow" not in said
    figures |= {"standard_error": None}
    show_credits(Explanation(method="shapley", target=odd, attributions=credits, words=words, **figures))
    assert "too slow to explain well" in capsys.readouterr().out
    variant = {"name": "int8-static", "metric": None, "note": odd}
    print_refusal(
        {"model": "toy", "samples": 3, "metric": {"name": "f1"}, "choice": {"variant": ""}, "variants": [variant]}
    )
    assert odd in capsys.readouterr().err
