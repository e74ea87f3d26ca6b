"""Models that come as files, other tasks and metrics, and targets, through the command."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from slipway.infra.home import ROOT, home
from slipway.service.artifact import load

from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.virtualenvs import environment
from slipway.ops.predict.samples import batches
from slipway.pipeline.errors import BadInput

PROGRESSION = ROOT / "models" / "progression"
CONVERT = (
    "import sys; from pyarrow import csv, parquet; "
    "[parquet.write_table(csv.read_csv(each), each.replace('.csv', '.parquet')) for each in sys.argv[1:]]"
)


def report(ended):
    assert ended.code == 0, ended.err
    return load(Path(ended.json()["path"])).read("report")


@pytest.fixture
def brought(tmp_path):
    """A folder with model.onnx and tables, as models/progression is, in another format."""

    def brought(suffix: str, **settings: str) -> Path:
        folder = tmp_path / "brought"
        shutil.copytree(PROGRESSION, folder)
        tables = [folder / "training.csv", folder / "evaluation.csv"]
        if suffix == "parquet":
            python = environment([PIPELINE_LOCK], home() / "envs")
            subprocess.run([python, "-c", CONVERT, *tables], check=True)
        if suffix == "npz":
            for table in tables:
                rows = np.loadtxt(table, delimiter=",", skiprows=1, dtype="float32")
                np.savez(table.with_suffix(".npz"), X=rows[:, :-1], progression=rows[:, -1])
        text = (folder / "model.yaml").read_text()
        for name in ("training", "evaluation"):
            text = text.replace(f"{name}.csv", f"{name}.{suffix}")
        for old, new in settings.items():
            assert old in text
            text = text.replace(old, new)
        (folder / "model.yaml").write_text(text)
        return folder

    return brought


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz", "european csv"])
def test_an_onnx_file_with_tables_needs_no_python(slipway, brought, suffix):
    folder = brought(suffix.split()[-1])
    if "european" in suffix:
        for table in folder.glob("*.csv"):
            table.write_text(table.read_text().replace(",", ";").replace(".", ","), encoding="utf-8-sig")
    ended = slipway("model", "build", folder, "--json")
    assert ("columns split at semicolons, decimal comma, UTF-8 with" in ended.err) == ("european" in suffix)
    found = report(ended)
    served = found["variants"][0]
    assert served["metric"] == pytest.approx(57.157, abs=0.01)
    assert found["conversion"]["maxAbsDiff"] < 1e-3
    assert found["provenance"]["license"] == "public domain"


def test_columns_go_to_the_model_by_their_names(slipway, brought):
    folder = brought("csv")
    header, *rows = (line.split(",") for line in (folder / "evaluation.csv").read_text().splitlines())
    order = np.random.default_rng(0).permutation(len(header))
    turned = "\n".join(",".join(row[at] for at in order) for row in (header, *rows))
    (folder / "evaluation.csv").write_text(turned)
    ended = slipway("model", "build", folder, "--json")
    assert report(ended)["variants"][0]["metric"] == pytest.approx(57.157, abs=0.01)
    signature = load(Path(ended.json()["path"])).signature
    assert list(signature.inputs[0].columns) == header[:-1]
    inputs = signature.to_json()["inputs"]
    with pytest.raises(BadInput, match=r"evaluation.csv \(--columns picks some\) has the columns progression"):
        next(batches([folder / "evaluation.csv"], inputs, (), 1))
    read = batches([folder / "evaluation.csv"], inputs, sorted(header[:-1]), 1)
    np.testing.assert_allclose(next(read).inputs[signature.inputs[0].name][0], [float(each) for each in rows[0][:-1]])


def test_columns_that_the_model_lacks_are_told_beside_those_that_are_missing(slipway, brought):
    folder = brought("csv")
    evaluation = folder / "evaluation.csv"
    evaluation.write_text(evaluation.read_text().replace("age", "years", 1))
    ended = slipway("model", "build", folder, "--json")
    assert (ended.code, "evaluation.csv lacks the columns age and has the columns years" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label: progression": "label: age2"}, "has no labels: no array or column is called age2"),
        ({"evaluation: evaluation.csv": "evaluation: gone.csv"}, "gone.csv is missing"),
        ({"evaluation: evaluation.csv": "evaluation: make.py"}, "data files end in .npz, .csv, .parquet"),
        ({"model: model.onnx": "model: make.py"}, "make.py is not an ONNX model"),
        ({"model: model.onnx": "model: gone.onnx"}, "gone.onnx is missing"),
        ({"evaluation: evaluation.csv": "evaluation: model.onnx"}, "data files end in"),
    ],
)
def test_a_mistake_in_files_is_told_in_one_message(slipway, brought, settings, message):
    ended = slipway("model", "build", brought("csv", **settings), "--json")
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_a_file_that_is_no_table_is_told(slipway, brought):
    folder = brought("npz")
    (folder / "training.npz").write_bytes(b"no zip")
    ended = slipway("model", "build", folder, "--json")
    assert ended.code == 2
    assert "training.npz can't be read" in ended.err


def test_an_opset_of_the_future_is_told(slipway, toy):
    ended = slipway("model", "build", toy(("17)]", "99)]")), "--json")
    assert ended.code == 2
    assert "ONNX Runtime does not load the model" in ended.err


def test_f1_and_an_own_metric_decide(slipway, toy):
    settings = "task: classification\nmetric: f1\nminimum: 0.8\nbudget: 0.03\n"
    found = report(slipway("model", "build", toy(name="f1", settings=settings), "--json"))
    assert found["metric"]["name"] == "f1"
    assert found["recall"]["fp32"].keys() == {"left", "middle", "right"}
    assert found["f1"]["fp32"] == pytest.approx(found["variants"][0]["metric"])
    settings = "task: classification\nmetric: custom\nminimum: 0.8\nbudget: 0.03\n"
    for name, body in (("own", "outputs[range(len(labels)), labels]"), ("whole", "np.median(outputs.max(axis=1))")):
        own = ("def labels():", f"def metric(outputs, labels):\n    return {body}\n\n\ndef labels():")
        found = report(slipway("model", "build", toy(own, name=name, settings=settings), "--json"))
        assert found["variants"][0]["metric"] > 0.9
        low, high = found["variants"][0]["interval95"]
        assert low <= found["variants"][0]["metric"] <= high


def test_scores_that_are_no_probabilities_have_no_log_loss_and_as_many_places_as_classes_decide_nothing(slipway, toy):
    settings = "task: classification\nmetric: log-loss\nmaximum: 1\nbudget: 0.1\nscores: raw\n"
    scores = ('"Softmax", ["scores"], ["p"]', '"Identity", ["scores"], ["p"]')
    ended = slipway("model", "build", toy(scores, name="scores", settings=settings))
    assert (ended.code, "log-loss takes probabilities; the model answers -" in ended.err) == (2, True), ended.err
    settings = "task: classification\nmetric: top-3\nminimum: 0.9\nbudget: 0.02\n"
    ended = slipway("model", "build", toy(name="places", settings=settings))
    assert (ended.code, "top-3 is always right of 3 classes" in ended.err) == (2, True), ended.err


def test_too_few_samples_of_the_rarest_class_are_told(slipway, toy):
    settings = "task: classification\nmetric: recall\nminimum: 0.8\nbudget: 0.01\n"
    ended = slipway("model", "build", toy(settings=settings), "--json")
    assert ended.code == 2
    assert "samples of class" in ended.err
    assert "at least 268" in ended.err


def test_an_own_metric_is_held_to_its_form(slipway, toy):
    settings = "task: classification\nmetric: custom\nminimum: 0.8\nbudget: 0.03\n"
    assert "defines no function metric" in slipway("model", "build", toy(settings=settings)).err
    wrong = ("def labels():", "def metric(outputs, labels):\n    return outputs\n\n\ndef labels():")
    ended = slipway("model", "build", toy(wrong, name="wrong", settings=settings))
    assert "metric() must return one finite number for each of 400 samples, or one for all of them" in ended.err


TWO_OUTPUTS = (
    (
        "[x], [p], [weights]",
        '[x], [p, helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])], [weights]',
    ),
)


def test_an_own_metric_gets_all_outputs_by_name_unless_one_is_named(slipway, toy):
    settings = "task: classification\nmetric: custom\nminimum: 0.8\nbudget: 0.03\n"
    for name, body, more in (
        ("both", 'outputs["p"].argmax(axis=1) == outputs["scores"].argmax(axis=1)', ""),
        ("one", "outputs.argmax(axis=1) == labels", "output: scores\n"),
    ):
        own = ("def labels():", f"def metric(outputs, labels):\n    return {body}\n\n\ndef labels():")
        found = report(slipway("model", "build", toy(*TWO_OUTPUTS, own, name=name, settings=settings + more), "--json"))
        assert found["variants"][0]["metric"] > 0.9


def test_a_variant_whose_other_output_is_not_the_source_s_is_not_taken(slipway, toy):
    amplified = (
        'nodes = [helper.make_node("MatMul", ["x", "weights"], ["scores"]), ',
        'nodes = [helper.make_node("MatMul", ["x", "weights"], ["scores"]), '
        'helper.make_node("Mul", ["scores", "k"], ["huge"]), helper.make_node("Sin", ["huge"], ["other"]), ',
    )
    other = (
        "[x], [p], [weights]",
        '[x], [p, helper.make_tensor_value_info("other", TensorProto.FLOAT, ["batch", 3])], '
        '[weights, numpy_helper.from_array(np.array(1000, "float32"), "k")]',
    )
    ended = slipway("model", "build", toy(amplified, other, name="unjudged"), "--json")
    notes = {each["name"]: each["note"] for each in report(ended)["variants"]}
    assert "its output other, which no metric judges, is off by" in notes["int8-static"]
    assert report(ended)["choice"]["variant"] == "fp32"


def test_an_embedding_without_labels_is_judged_against_its_own_source(slipway, toy):
    settings = "task: embedding\nmetric: cosine\nminimum: 0.99\nbudget: 0.01\n"
    changes = [('return {"x": CENTRES[classes] + noise}, classes', 'return {"x": CENTRES[classes] + noise}, None')]
    found = report(slipway("model", "build", toy(*changes, name="vectors", settings=settings), "--json"))
    assert found["variants"][0]["metric"] == pytest.approx(1, abs=1e-6)
    assert found["variants"][1]["metric"] > 0.99


def test_a_table_that_words_are_looked_up_in_becomes_int8_too(slipway, toy):
    table = 'np.repeat(CENTRES, 700, 0) + np.random.default_rng(3).normal(0, 0.1, (2100, 64)).astype("float32")'
    changes = [
        (
            '[helper.make_node("MatMul", ["x", "weights"]',
            '[helper.make_node("Gather", ["table", "x"], ["words"]), '
            'helper.make_node("ReduceMean", ["words"], ["mean"], axes=[1], keepdims=0), '
            'helper.make_node("MatMul", ["mean", "weights"]',
        ),
        ('"x", TensorProto.FLOAT, ["batch", 64]', '"x", TensorProto.INT64, ["batch", 8]'),
        ("[x], [p], [weights])", f'[x], [p], [weights, numpy_helper.from_array({table}, "table")])'),
        (
            'return {"x": CENTRES[classes] + noise}, classes',
            'return {"x": classes[:, None] * 700 + generator.integers(0, 700, (count, 8))}, classes',
        ),
    ]
    found = report(slipway("model", "build", toy(*changes, name="words"), "--json"))
    dynamic = next(each for each in found["variants"] if each["name"] == "int8-dynamic")
    assert dynamic["compression"] > 0.7
    assert dynamic["metric"] >= 0.99


def test_for_an_nvidia_target_fp16_is_made_here_and_its_speed_left_open(slipway, toy):
    folder = toy(name="gpu")
    ended = slipway("model", "build", folder, "--target", "nvidia", "--json")
    found = report(ended)
    assert found["hardware"]["target"] == "nvidia"
    assert found["choice"]["variant"] == "fp16"
    card = (Path(ended.json()["path"]) / "card.md").read_text()
    for said in (found["choice"]["reason"], card, ended.err):
        assert "unmeasured" in said and "fastest" not in said
    known = {
        name: slipway("model", "describe", folder, "--target", name, "--json").json() for name in ("nvidia", "cpu")
    }
    assert (known["nvidia"]["digest"], known["cpu"]["digest"]) == (ended.json()["digest"], None)
    ref = f"{ended.json()['uri']}@{ended.json()['digest']}"
    assert slipway("model", "describe", ref, "--json").json()["target"] == "nvidia"
    assert "is for nvidia, not cpu" in slipway("model", "build", ref, "--target", "cpu").err
    assert all(each["latencyMs"] is None for each in found["variants"])
    artifact = load(Path(ended.json()["path"]))
    assert artifact.signature.inputs[0].dtype == "float32"


def test_missing_values_are_taken_where_the_settings_say_so(slipway, toy):
    gaps = (
        'return {"x": CENTRES[classes] + noise}, classes',
        'noise[::7, 3] = np.nan\n    return {"x": CENTRES[classes] + noise}, classes',
    )
    ended = slipway("model", "build", toy(gaps), "--json")
    assert "write missing: true" in ended.err
    settings = "task: classification\nmetric: accuracy\nminimum: 0.5\nbudget: 0.02\nmissing: true\n"
    filled = (
        'helper.make_node("MatMul", ["x", "weights"], ["scores"])',
        'helper.make_node("IsNaN", ["x"], ["gap"]), '
        'helper.make_node("Where", ["gap", "none", "x"], ["whole"]), '
        'helper.make_node("MatMul", ["whole", "weights"], ["scores"])',
    )
    none = ("[x], [p], [weights])", '[x], [p], [weights, numpy_helper.from_array(np.zeros(1, "float32"), "none")])')
    ended = slipway("model", "build", toy(gaps, filled, none, name="gaps", settings=settings), "--json")
    assert ended.code == 0, ended.err
    artifact = load(Path(ended.json()["path"]))
    assert artifact.signature.inputs[0].nullable
    assert artifact.read("statistics")["inputs"]["x"]["missing"] > 0


def test_the_artifact_explains_itself(slipway, toy):
    ended = slipway("model", "build", toy(), "--json")
    path = Path(ended.json()["path"])
    with np.load(path / "explanation.npz") as arrays:
        assert arrays["baseline:x"].shape == (64,)
        assert arrays["background:x"].shape == (16, 64)
    card = (path / "card.md").read_text()
    assert "licence" in card
    assert "recall of class" in card
    assert "macro F1" in card
    assert "(0 of them in the training data as well)" in card
    assert "variants.png" in card
    found = report(ended)
    assert all(
        each["memoryBytes"] > 1e6 and each["throughputAllThreads"] > 0 for each in found["variants"] if each["metric"]
    )


def test_requirements_that_changed_since_the_lock_are_told(slipway, toy):
    lock = PIPELINE_LOCK.read_text()
    folder = toy(requirements_in="numpy\nscikit-learn>=1.5\n", requirements_txt=lock)
    ended = slipway("model", "build", folder, "--json")
    assert ended.code == 2
    assert "requirements.txt is stale: it does not hold scikit-learn>=1.5" in ended.err
    (folder / "requirements.in").write_text("numpy<1\n")
    assert "does not hold numpy<1" in slipway("model", "build", folder, "--json").err
