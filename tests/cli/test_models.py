"""The models that come with the project, trained for real; found in the user's store where they were built before."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from slipway.infra.home import ROOT
from slipway.service.artifact import load


@pytest.fixture(scope="module")
def models():
    names = ("linear", "digits", "tumours", "language", "progression")
    command = [sys.executable, "-m", "slipway.cli", "model", "build", *(f"models/{each}" for each in names), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["name"]: load(Path(each["path"])) for each in results}


def test_digits_are_told_apart_on_at_least_800_samples_inside_the_budget(models):
    report = models["digits"].read("report")
    served = next(each for each in report["variants"] if each["name"] == report["choice"]["variant"])
    assert report["samples"] >= 800
    assert served["metric"] >= 0.96
    assert served["dropUpper95"] <= 0.01
    assert report["conversion"]["maxAbsDiff"] < 1e-3


def test_digits_take_images_by_name_and_answer_their_example(models):
    digits = models["digits"]
    image, probabilities = digits.signature.inputs[0], digits.signature.outputs[0]
    assert (image.name, image.dtype, image.shape) == ("image", "float32", (None, 28, 28, 1))
    assert (image.minimum, image.maximum) == (0.0, 1.0)
    assert (probabilities.name, probabilities.shape) == ("probabilities", (None, 10))
    sample = np.asarray([digits.read("example")["inputs"]["image"]], dtype=np.float32)
    session = ort.InferenceSession(digits.model, providers=["CPUExecutionProvider"])
    answer = session.run(None, {"image": sample})[0][0]
    expected = digits.read("example.response")
    np.testing.assert_allclose(answer, expected["outputs"]["probabilities"], rtol=1e-4, atol=1e-6)
    assert digits.signature.labels[int(answer.argmax())] == expected["label"]


def test_linear_answers_two_x_minus_one_and_stays_fp32(models):
    linear = models["linear"]
    assert linear.read("report")["choice"]["variant"] == "fp32"
    x = np.linspace(-10, 10, 50, dtype=np.float32)[:, None]
    session = ort.InferenceSession(linear.model, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], 2 * x - 1, atol=1e-3)


def test_tumours_take_gaps_and_are_told_apart(models):
    report, measurements = models["tumours"].read("report"), models["tumours"].signature.inputs[0]
    assert measurements.nullable
    assert report["metric"]["name"] == "f1"
    assert set(report["recall"]["fp32"]) == {"malignant", "benign"}
    assert models["tumours"].read("statistics")["inputs"]["measurements"]["missing"] > 0.02
    session = ort.InferenceSession(models["tumours"].model, providers=["CPUExecutionProvider"])
    gaps = np.full((2, 30), np.nan, dtype=np.float32)
    assert np.isfinite(session.run(None, {"measurements": gaps})[0]).all()


def test_languages_are_told_from_strings(models):
    language = models["language"]
    text = language.signature.inputs[0]
    assert (text.dtype, text.shape) == ("string", (None,))
    session = ort.InferenceSession(language.model, providers=["CPUExecutionProvider"])
    sentences = np.array(
        ["Bitte geben Sie eine gültige Adresse ein", "Veuillez saisir une adresse valide"], dtype=object
    )
    answer = session.run(None, {"text": sentences})[0].argmax(axis=1)
    assert [language.signature.labels[at] for at in answer] == ["German", "French"]
    assert not models["language"].signature.steady  # a longer text takes longer


def test_a_model_brought_as_a_file_keeps_its_provenance(models):
    report = models["progression"].read("report")
    assert report["training"]["framework"] == "onnx"
    assert report["provenance"]["source"].startswith("Efron")
    assert len(report["provenance"]["evaluationDataSha256"]) == 64
