"""`slipway model build` from a folder to an artifact, and what it prints."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import psutil
import pytest
from slipway.service.artifact import load

from slipway.pipeline.render import markdown

FIELDS = {"name", "ref", "inputsKey", "kind", "target", "digest", "path", "uri", "variant", "metric", "built"}


@pytest.fixture
def built(slipway, toy):
    """A build of the unchanged toy: done by the first test that asks, found in the store by the others."""
    folder = toy()
    ended = slipway("model", "build", folder, "--json")
    assert ended.code == 0, ended.err
    return folder, ended.json()


def test_json_holds_one_line_with_the_agreed_fields_and_the_table_goes_to_stderr(slipway, toy):
    ended = slipway("model", "build", toy(("(1, 400)", "(41, 400)")), "--json")
    assert ended.out.count("\n") == 1
    assert set(ended.json()) == FIELDS
    assert "int8-dynamic" in ended.err
    assert "toy: chose " in ended.err


def test_the_artifact_loads_and_answers_its_own_example(built):
    artifact = load(Path(built[1]["path"]))
    assert artifact.digest == built[1]["digest"]
    assert artifact.signature.labels == ("left", "middle", "right")
    assert artifact.signature.inputs[0].shape == (None, 64)
    assert artifact.signature.steady
    example, expected = artifact.read("example"), artifact.read("example.response")
    sample = np.asarray([example["inputs"]["x"]], dtype=np.float32)
    session = ort.InferenceSession(artifact.model, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": sample})[0][0], expected["outputs"]["p"], rtol=1e-5)
    assert expected["label"] in artifact.signature.labels


def test_the_report_compares_every_variant_on_this_hardware(built):
    report = load(Path(built[1]["path"])).read("report")
    assert [each["name"] for each in report["variants"]][:3] == ["fp32", "int8-dynamic", "int8-static"]
    for each in report["variants"]:
        assert each["note"] or (each["withinBudget"] and each["faster"])
    assert report["samples"] == 400
    assert report["hardware"]["cores"] >= 1
    assert report["conversion"]["maxAbsDiff"] < 1e-4
    assert report["choice"]["variant"] == built[1]["variant"]


def test_declared_data_decides_and_undeclared_data_is_told_and_retrain_trains_all_the_same(slipway, toy, tmp_path):
    (points := tmp_path / "shared.csv").write_text("1\n")
    read = ("def training_data():", f"def training_data():\n    open({str(points)!r}).close()")
    folder = toy(read, name="outside")
    first = slipway("model", "build", folder, "--json")
    assert f"model.py reads {points}, which data: in model.yaml does not name" in first.err, first.err
    assert f"not declared as data: {points}" in (Path(first.json()["path"]) / "card.md").read_text()
    points.write_text("2\n")
    assert not slipway("model", "build", folder, "--json").json()["built"]
    again = slipway("model", "build", folder, "--retrain", "--json")
    assert again.json()["built"] and f"commit {folder / 'retrained.txt'}" in again.err
    assert again.json()["inputsKey"] != first.json()["inputsKey"]
    yaml = folder / "model.yaml"
    yaml.write_text(yaml.read_text() + "data: [../shared.csv]\n")
    declared = slipway("model", "build", folder, "--json")
    assert declared.json()["built"] and "does not name" not in declared.err
    points.write_text("3\n")
    changed = slipway("model", "describe", folder, "--json").json()
    assert (changed["digest"], changed["inputsKey"] == declared.json()["inputsKey"]) == (None, False)
    (folder / "model.py").write_text("broken")
    before = (folder / "retrained.txt").read_text()
    assert slipway("model", "build", folder, "--retrain").code == 2
    assert (folder / "retrained.txt").read_text() == before


def test_the_card_of_a_model_with_gradients_says_how_it_is_explained_better(built):
    report = load(Path(built[1]["path"])).read("report")
    assert "gradients" not in markdown(report)
    for framework, better in (("keras", "tf.GradientTape"), ("pytorch", "captum")):
        report["training"]["framework"] = framework
        assert better in markdown(report)


def test_an_old_opset_with_weights_in_a_constant_node_is_quantized_all_the_same(slipway, toy):
    weights = 'numpy_helper.from_array(np.ascontiguousarray(CENTRES.T), "weights")'
    constant = f'[helper.make_node("Constant", [], ["weights"], value={weights}), '
    folder = toy(("nodes = [", f"nodes = {constant}"), ("[x], [p], [weights])", "[x], [p], [])"), ("17)]", "11)]"))
    ended = slipway("model", "build", folder, "--json")
    assert ended.code == 0, ended.err
    report = load(Path(ended.json()["path"])).read("report")
    assert all(each["metric"] is not None for each in report["variants"])


def test_statistics_describe_the_training_data_and_logs_lie_beside_the_artifact(built):
    path = Path(built[1]["path"])
    statistics = load(path).read("statistics")["inputs"]["x"]
    assert sum(statistics["histogram"]["counts"]) == 400 * 64
    assert statistics["min"] < statistics["mean"] < statistics["max"]
    logs = path.parent / "logs" / built[1]["digest"].removeprefix("sha256:")
    assert (logs / "curve.txt").read_text() == "a curve"


def test_the_same_content_elsewhere_is_not_built_again(slipway, toy, built):
    other = toy(name="elsewhere")
    other = other.rename((other.parent / "deep").mkdir() or other.parent / "deep" / "toy")
    again = slipway("model", "build", other, "--json").json()
    assert (again["built"], again["digest"], again["inputsKey"]) == (False, built[1]["digest"], built[1]["inputsKey"])


def test_describe_tells_what_is_built_without_building(slipway, toy, built):
    described = slipway("model", "describe", built[0], "--json").json()
    assert described == {key: built[1][key] for key in ("name", "inputsKey", "kind", "digest", "path")} | {
        "ref": str(built[0]),
        "target": "cpu",
    }
    unbuilt = slipway("model", "describe", toy(("(2, 400)", "(3, 400)"), name="new"), "--json").json()
    assert (unbuilt["digest"], unbuilt["path"]) == (None, None)


def test_a_promoted_artifact_is_taken_as_it_is(slipway, built):
    ref = f"{built[1]['uri']}@{built[1]['digest']}"
    described = slipway("model", "describe", ref, "--json").json()
    assert (described["inputsKey"], described["digest"], described["name"]) == (*[built[1]["digest"]] * 2, "toy")
    taken = slipway("model", "build", ref, "--json").json()
    assert (taken["path"], taken["built"]) == (built[1]["path"], False)


def test_a_damaged_artifact_is_built_again(slipway, toy):
    folder = toy(("(1, 400)", "(4, 400)"))
    first = slipway("model", "build", folder, "--json").json()
    (Path(first["path"]) / "model.onnx").write_bytes(b"broken")
    assert slipway("model", "describe", folder, "--json").json()["digest"] is None
    second = slipway("model", "build", folder, "--json").json()
    assert second["built"]
    assert load(Path(second["path"])).digest == second["digest"]


def test_show_prints_the_report(slipway, built):
    shown = slipway("model", "show", built[0])
    assert shown.code == 0
    assert "int8-dynamic" in shown.out
    assert built[1]["path"] in shown.out


def test_a_second_process_waits_and_takes_the_result(command, toy):
    folder = toy(("(1, 400)", "(5, 400)"))
    running = [subprocess.Popen(**command("model", "build", folder, "--json")) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in running]
    results = [json.loads(out) for out, _ in answers]
    assert sorted(each["built"] for each in results) == [False, True]
    assert results[0]["digest"] == results[1]["digest"]
    assert any("waiting for another slipway" in err for _, err in answers)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_interrupted_build_ends_quietly_with_its_children_and_the_next_one_succeeds(
    command, slipway, toy, toy_home, tmp_path, number, code
):
    folder, flag = toy(("(1, 400)", f"({100 + number}, 400)")), tmp_path / "training"
    process = subprocess.Popen(**command("model", "build", folder, "--json", TOY_FLAG=flag, TOY_SECONDS=60))
    child = _wait_for(flag)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    _wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    assert slipway("model", "build", folder, "--json").json()["built"]
    assert list((toy_home / "artifacts" / "staging").iterdir()) == []


def _wait_for(flag: Path) -> int:
    _wait_until(lambda: flag.exists() and flag.read_text())
    return int(flag.read_text())


def _wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
