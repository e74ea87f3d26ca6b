"""Models of each framework become ONNX that answers as they do; run in the framework's own environment."""

import os

import pytest

CLOSE = 1e-4


@pytest.fixture(scope="module")
def keras(probe):
    return probe("keras_files", "models/digits/requirements.txt")


@pytest.fixture(scope="module")
def sklearn(probe):
    return probe("sklearn_models", "tests/models/table/requirements.txt")


@pytest.mark.parametrize("form", ["code", "keras", "h5", "savedmodel"])
def test_a_network_with_two_inputs_keeps_names_batch_and_answers_in_every_form(keras, form):
    found = keras[form]
    assert found["inputs"] == {"image": ["float32", [None, 8, 8, 1]], "place": ["int32", [None, 1]]}
    assert found["worst"] < CLOSE
    if form != "savedmodel":  # TensorFlow names the outputs of a signature itself
        assert found["outputs"] == ["scores"]


@pytest.mark.parametrize(("form", "name"), [("with an input", "image"), ("called first", "image"), ("masked", "words")])
def test_a_sequential_network_has_one_input_of_the_datas_name_and_the_same_answers(keras, form, name):
    assert keras[form]["inputs"] == [name]
    assert len(keras[form]["outputs"]) == 1
    assert keras[form]["worst"] < CLOSE


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
    assert "RandomForestClassifier tells several classes of a sample at once" in sklearn["several"]


@pytest.mark.parametrize(
    ("case", "classes"),
    {
        "named": ["no", "yes"],
        "numbered otherwise": [3, 7],
        "columns": ["no", "yes"],
        "boosted": ["no", "yes"],
        "two scores": ["no", "yes"],
        "outliers": [-1, 1],
        "texts": [0, 1],
        "beside": ["no", "yes"],
    }.items(),
)
def test_models_as_people_bring_them_answer_scores_in_the_order_of_their_classes(sklearn, case, classes):
    found = sklearn[case]
    assert found["worst"] < CLOSE
    assert found["classes"] == classes
    assert len(found["outputs"]) == 1


def test_columns_of_one_axis_are_a_table(sklearn):
    assert sklearn["columns"]["inputs"] == {"size": ["float32", [None, 1]], "colour": ["string", [None, 1]]}


def test_a_graph_beside_its_source_is_compared_with_the_source(sklearn):
    assert sklearn["beside another"] > 0.5


def test_a_converter_that_is_missing_is_told_with_the_line_for_requirements(sklearn):
    assert "takes the package skl2onnx. Add the line skl2onnx to" in sklearn["missing"]
    assert "slipway model lock" in sklearn["missing"]


@pytest.fixture(scope="module")
def torch(probe):
    if "SLIPWAY_TORCH" not in os.environ:
        pytest.skip("PyTorch is an extra of six gigabytes: SLIPWAY_TORCH=1 installs it")
    return probe("torch_modules", "tests/models/sentences/requirements.txt")


def test_a_torch_module_with_two_inputs_keeps_names_batch_and_answers(torch):
    assert torch["inputs"] == {"row": ["float32", [None, 4]], "kind": ["int64", [None]]}
    assert torch["worst"] < CLOSE


def test_what_torch_can_not_export_is_told_with_its_operator_and_module(torch):
    assert "PyTorch does not export Odd to ONNX (its forward())" in torch["odd"]
    assert "(module turned, a Odd): Exporting the operator 'aten::linalg_eigvals'" in torch["around"]


def test_training_data_that_a_torch_module_does_not_take_are_told(torch):
    assert "Two does not take the training data" in torch["narrow"]
    assert "Double and Float" in torch["doubles"]
