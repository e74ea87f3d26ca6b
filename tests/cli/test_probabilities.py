"""A class's probability is one: logits get a softmax, or no probability is answered."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

ANSWERS_SCORES = (('["scores"]), helper.make_node("Softmax", ["scores"], ["p"])]', '["p"])]'),)
SETTINGS = "task: classification\nmetric: accuracy\nminimum: 0.9\nbudget: 0.02\n"


@pytest.fixture
def built(slipway, toy):
    """Builds the toy that answers logits, with more lines in model.yaml; the artifact's folder and what was said."""

    def built(more="", **files):
        ended = slipway(
            "model", "build", toy(*ANSWERS_SCORES, settings=SETTINGS + more, name="logits", **files), "--json"
        )
        assert ended.code == 0, ended.err
        return Path(ended.json()["path"]), ended.err

    return built


def test_logits_are_served_as_probabilities_and_the_card_says_so(built):
    folder, said = built()
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"x": np.random.default_rng(0).normal(size=(9, 64)).astype(np.float32)})
    assert answer.sum(axis=1) == pytest.approx(np.ones(9), abs=1e-3)
    assert [each["name"] for each in json.loads((folder / "signature.json").read_bytes())["outputs"]] == ["p"]
    assert "adding a softmax: the model answers logits" in said
    assert "a softmax was added" in (folder / "card.md").read_text()


def test_raw_scores_stay_as_they_are(built):
    folder, _ = built("scores: raw\n")
    report = json.loads((folder / "report.json").read_bytes())
    assert not report["softmaxAdded"]
    response = json.loads((folder / "example.response.json").read_bytes())
    assert list(response["outputs"]) == ["p"]


def test_logits_called_probabilities_are_refused(slipway, toy):
    ended = slipway("model", "build", toy(*ANSWERS_SCORES, settings=SETTINGS + "scores: probabilities\n"))
    assert ended.code == 2
    assert "scores: probabilities, but the model answers -" in ended.err
