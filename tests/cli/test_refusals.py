"""What is wrong with a model folder is told in one message: the place, the reason, the fix; exit code 2 or 3."""

import pytest

from slipway.ops.models import scaffold as scaffolding
from slipway.pipeline.errors import BadInput

RETURN = 'return {"x": CENTRES[classes] + noise}, classes'


def refused(ended, code, *parts):
    assert ended.code == code, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    message = ended.err[ended.err.index("error: ") :]
    for part in parts:
        assert part in message


BAD = {
    "a syntax error": ([("def train(log_dir):", "def train(log_dir:")], ["model.py:", "SyntaxError"]),
    "a missing package": (
        [("import time", "import time, torchless")],
        ["model.py:2: import failed", "No module named 'torchless'", "slipway model lock toy"],
    ),
    "no train": ([("def train(", "def fit(")], ["no function train", "returns the model"]),
    "no evaluation_data": ([("def evaluation_data", "def test_data")], ["no function evaluation_data"]),
    "no argument": ([("def train(log_dir):", "def train():")], ["train takes one argument"]),
    "an exception in train": (
        [("return network()", 'raise RuntimeError("no luck")')],
        ["model.py:17: train() failed: RuntimeError: no luck"],
    ),
    "an exit in train": ([("return network()", "raise SystemExit(0)")], ["train() failed: SystemExit"]),
    "a crash in train": ([("return network()", "os.abort()")], ["SIGABRT in the model's own code or framework"]),
    "no model": ([("return network()", "return None")], ["returned builtins.NoneType", "return a Keras, scikit-learn"]),
    "a missing file": ([("return network()", 'return "gone.onnx"')], ["gone.onnx", "missing"]),
    "a file that is no model": ([("return network()", 'return "model.py"')], ["model.py is not an ONNX model"]),
    "a broken graph": ([('["scores"], ["p"]', '["nothing"], ["p"]')], ["ONNX Runtime does not load the model"]),
    "no tuple": ([(RETURN, 'return {"x": noise}')], ["training_data() must return two things"]),
    "no names": ([(RETURN, "return noise, classes")], ["inputs by name", "ndarray"]),
    "other names": ([('{"x":', '{"y":')], ["gives the inputs y; the model takes x"]),
    "wrong shapes": (
        [(RETURN, 'return {"x": noise[:, :32]}, classes')],
        ["input x has samples of shape [32]; the model takes [64]"],
    ),
    "wrong types": ([(RETURN, 'return {"x": noise.astype(str)}, classes')], ["input x is <U", "takes float32"]),
    "NaN in the inputs": (
        [(RETURN, 'noise[7, 3] = np.nan; return {"x": noise}, classes')],
        ["training_data(): input x holds NaN or infinity, first in sample 7"],
    ),
    "NaN in the labels": (
        [(RETURN, 'return {"x": noise}, np.where(classes == 2, np.nan, classes)')],
        ["training_data(): labels holds NaN or infinity"],
    ),
    "labels that are no classes": ([(RETURN, 'return {"x": noise}, classes + 0.5')], ["labels must be class numbers"]),
    "one-hot labels": ([(RETURN, 'return {"x": noise}, np.eye(3)[classes]')], ["labels have shape [400, 3]"]),
    "more classes than the model knows": (
        [(RETURN, 'return {"x": noise}, classes + 1')],
        ["labels go up to class 3; the model knows 3 classes"],
    ),
    "too few names of classes": ([('"middle", ', "")], ["labels() names 2 classes; the model knows 3"]),
    "counts that differ": (
        [(RETURN, 'return {"x": noise[1:]}, classes')],
        ["input x has 399 samples, labels has 400"],
    ),
    "no samples": ([("points(2, 400)", "points(2, 0)")], ["evaluation_data() returned no samples"]),
    "too few samples for the budget": (
        [("points(2, 400)", "points(2, 100)")],
        ["evaluation_data() returned 100 samples", "at least 133"],
    ),
    "the training data once more": (
        [("points(2, 400)", "points(1, 400)")],
        ["evaluation_data() returned the training data", "hold out"],
    ),
    "NaN in the answers": ([("CENTRES.T)", "CENTRES.T * np.nan)")], ["answers NaN"]),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_model_is_told_in_one_message(slipway, toy, case):
    changes, parts = BAD[case]
    refused(slipway("model", "build", toy(*changes), "--json"), 2, *parts)


def test_an_onnx_file_beyond_what_the_format_holds_is_told(slipway, toy):
    folder = toy(("return network()", 'return "huge.onnx"'))
    with (folder / "huge.onnx").open("wb") as file:
        file.truncate(2**31)  # takes no room on the disk
    refused(slipway("model", "build", folder, "--json"), 2, "huge.onnx has 2.0 GiB", "less than 2 GiB")


def test_a_folder_without_model_py_is_told(slipway, toy):
    folder = toy()
    (folder / "model.py").unlink()
    refused(slipway("model", "build", folder, "--json"), 2, "model.py is missing", "train")


def test_wrong_settings_are_told_before_anything_runs(slipway, toy):
    folder = toy(settings="task: guess\nbudget: 0.01\n")
    for command in ("build", "describe"):
        refused(slipway("model", command, folder, "--json"), 2, "model.yaml", "task: 'guess'", "metric: missing")


def test_a_new_model_folder_says_what_to_fill_in(slipway, tmp_path, monkeypatch):
    monkeypatch.setattr(scaffolding, "ROOT", tmp_path)
    (tmp_path / "models").mkdir()
    folder, _ = scaffolding.scaffold("fresh", "regression", "keras")
    (folder / "requirements.in").unlink()
    refused(
        slipway("model", "build", folder, "--json"), 2, "model.py:", "NotImplementedError: return arrays by the name"
    )
    with pytest.raises(BadInput, match="there already"):
        scaffolding.scaffold("fresh", "regression", "keras")
    with pytest.raises(BadInput, match="lower-case"):
        scaffolding.scaffold("Not a name", "regression", "keras")


@pytest.mark.parametrize("ref", ["models/nowhere", "file:///nowhere@sha256:12", "s3://bucket@sha256:" + "0" * 64])
def test_a_reference_that_names_nothing_is_told(slipway, ref):
    refused(slipway("model", "build", ref, "--json"), 2, ref.partition("@")[0])


def test_a_promoted_artifact_that_is_not_there_is_told(slipway, tmp_path):
    ref = f"{tmp_path.as_uri()}@sha256:{'0' * 64}"
    refused(slipway("model", "build", ref, "--json"), 2, "no such artifact")
    assert slipway("model", "describe", ref, "--json").json()["digest"] is None


def test_requirements_without_hashes_are_told_how_to_lock(slipway, toy):
    folder = toy(requirements_txt="numpy==2.4.6\n")
    refused(slipway("model", "build", folder, "--json"), 2, "'numpy==2.4.6' has no hash", "slipway model lock")


def test_requirements_that_were_never_locked_are_told(slipway, toy):
    folder = toy(requirements_in="numpy\n")
    refused(slipway("model", "build", folder, "--json"), 2, "not locked; run: slipway model lock toy")


def test_a_model_below_its_minimum_is_refused_and_nothing_is_stored(slipway, toy):
    folder = toy(("+ noise", "* 0.05 + noise"))
    refused(slipway("model", "build", folder, "--json"), 3, "below the minimum 0.9 by 0.", "accuracy 0.")
    assert slipway("model", "describe", folder, "--json").json()["digest"] is None


def test_a_pinned_variant_that_is_unknown_is_told_with_those_there_are(slipway, toy):
    ended = slipway("model", "build", toy(), "--variant", "int4", "--json")
    refused(ended, 2, "there is no variant int4", "fp32, int8-dynamic")


def test_a_pinned_variant_is_built_under_a_key_of_its_own(slipway, toy):
    folder = toy()
    pinned = slipway("model", "build", folder, "--variant", "fp32", "--json").json()
    assert pinned["variant"] == "fp32"
    assert pinned["inputsKey"] != slipway("model", "describe", folder, "--json").json()["inputsKey"]


def test_verbose_shows_the_traceback_of_the_user_s_error(slipway, toy):
    ended = slipway("model", "build", toy(("return network()", "return 1 / 0")), "--verbose")
    assert ended.code == 2
    assert "ZeroDivisionError" in ended.err
    assert "Traceback" in ended.err
