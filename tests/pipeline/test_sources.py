"""Models of each framework become ONNX that answers as they do; run in the framework's own environment."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from cli.env import environment
from cli.home import home
from cli.models import ROOT

PROBES = Path(__file__).parent / "probes"
CLOSE = 1e-4


def probe(name: str, python: Path | str, folder: Path):
    variables = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    command = [str(python), str(PROBES / f"{name}.py"), str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    python = environment([ROOT / "models/digits/requirements.txt"], home() / "envs")
    return probe("keras_files", python, tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="module")
def sklearn(tmp_path_factory):
    python = environment([ROOT / "tests/models/table/requirements.txt"], home() / "envs")
    return probe("sklearn_models", python, tmp_path_factory.mktemp("sklearn"))


@pytest.mark.parametrize("form", ["code", "keras", "h5", "savedmodel"])
def test_a_network_with_two_inputs_keeps_names_batch_and_answers_in_every_form(keras, form):
    found = keras[form]
    assert found["inputs"] == {"image": ["float32", [None, 8, 8, 1]], "place": ["int32", [None, 1]]}
    assert found["worst"] < CLOSE
    if form != "savedmodel":  # TensorFlow names the outputs of a signature itself
        assert found["outputs"] == ["scores"]


def test_an_operator_that_onnx_lacks_is_told_with_its_node_and_layer(keras):
    assert "ONNX has no operator" in keras["bare"]
    assert "of layer turned" in keras["bare"]


def test_files_that_are_no_models_are_told(keras):
    assert "broken.keras is not a model that Keras can load" in keras["broken"]
    assert "empty is not a SavedModel" in keras["empty"]
    assert "the Keras model has no defined inputs" in keras["shapeless"]


@pytest.mark.parametrize("case", ["forest", "scores", "line", "gaps", "words", "table"])
def test_estimators_and_pipelines_answer_as_in_scikit_learn(sklearn, case):
    assert sklearn[case]["worst"] < CLOSE


def test_a_table_of_floats_integers_and_words_has_an_input_for_each_column(sklearn):
    assert sklearn["table"]["inputs"] == {
        "size": ["float32", [None, 1]],
        "count": ["int64", [None, 1]],
        "colour": ["string", [None, 1]],
    }
    assert sklearn["words"]["inputs"] == {"t": ["string", [None]]}


def test_classifiers_answer_probabilities_first_and_alone(sklearn):
    assert sklearn["forest"]["outputs"] == ["probabilities"]
    assert sklearn["scores"]["outputs"] == ["scores"]


def test_what_skl2onnx_can_not_convert_is_told_with_its_step(sklearn):
    assert "skl2onnx does not convert Pipeline" in sklearn["odd"]
    assert "FunctionTransformer" in sklearn["odd"]
    assert "train it on class numbers" in sklearn["named"]


@pytest.fixture(scope="module")
def torch(tmp_path_factory):
    if "SLIPWAY_TORCH" not in os.environ:
        pytest.skip("PyTorch is an extra of six gigabytes: SLIPWAY_TORCH=1 installs it")
    python = environment([ROOT / "tests/models/sentences/requirements.txt"], home() / "envs")
    return probe("torch_modules", python, tmp_path_factory.mktemp("torch"))


def test_a_torch_module_with_two_inputs_keeps_names_batch_and_answers(torch):
    assert torch["inputs"] == {"row": ["float32", [None, 4]], "kind": ["int64", [None]]}
    assert torch["worst"] < CLOSE


def test_what_torch_can_not_export_is_told_with_its_operator_and_module(torch):
    assert "PyTorch does not export Odd to ONNX (its forward())" in torch["odd"]
    assert "(module turned, a Odd): Exporting the operator 'aten::linalg_eigvals'" in torch["around"]


def test_training_data_that_a_torch_module_does_not_take_are_told(torch):
    assert "Two does not take the training data" in torch["narrow"]
    assert "Double and Float" in torch["doubles"]
