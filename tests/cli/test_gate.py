"""Nothing worse or slower replaces what serves, unless that is said; refusals show the table and are remembered."""

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from slipway.service.artifact import seal

import slipway.cli.stack

SLOWER = (
    'nodes = [helper.make_node("MatMul", ["x", "weights"], ["scores"])',
    'nodes = [*(helper.make_node("Sin", [f"x{i}" if i else "x"], [f"x{i + 1}"]) for i in range(60)), '
    'helper.make_node("Mul", ["x60", "none"], ["zero"]), helper.make_node("Add", ["x", "zero"], ["same"]), '
    'helper.make_node("MatMul", ["same", "weights"], ["scores"])',
)
NONE = (
    "[x], [p], [weights])",
    '[x], [p], [weights, numpy_helper.from_array(np.zeros(1, "float32"), "none")])',
)
WORSE = ("np.ascontiguousarray(CENTRES.T)", "np.ascontiguousarray(CENTRES[[0, 1, 1]].T)")


@pytest.fixture
def serving(slipway, toy):
    """The unchanged toy, which serves; its digest."""
    return slipway("model", "build", toy(name="serving"), "--json").json()


def build(slipway, folder, *options):
    return slipway("model", "build", folder, "--json", *options)


def test_the_same_artifact_replaces_itself(slipway, toy, serving):
    ended = build(slipway, toy(name="serving2").rename(toy(name="x").parent / "again"), "--serving", serving["digest"])
    assert ended.code == 0, ended.err


def test_a_model_worse_than_the_serving_one_is_refused_with_figure_limit_and_distance(slipway, toy, serving):
    folder = toy(WORSE, name="worse", settings=LOOSE)
    ended = build(slipway, folder, "--serving", serving["digest"])
    assert ended.code == 3, ended.err
    assert "worse: its accuracy 0." in ended.err
    assert "beyond the budget of 0.02" in ended.err
    assert "the artifact that serves now stays; --accept-worse deploys" in ended.err
    assert "serving" not in ended.err.split("error: ")[0].replace(str(folder.parent), "")
    ended = build(slipway, folder, "--serving", serving["digest"], "--in-stack")
    assert "acceptWorse: true for its service in the stack's file deploys this one" in ended.err
    accepted = build(slipway, folder, "--serving", serving["digest"], "--accept-worse")
    assert accepted.code == 0
    assert "accepted, as --accept-worse says" in accepted.err


def test_a_slower_model_is_refused_with_its_ratio(slipway, toy, serving):
    ended = build(slipway, toy(SLOWER, NONE, name="slow"), "--serving", f"{serving['uri']}@{serving['digest']}")
    assert ended.code == 3, ended.err
    assert "times as long, at least" in ended.err


def test_a_comparison_is_made_once(slipway, toy, serving):
    folder = toy(("(1, 400)", "(31, 400)"), name="twice")
    first, second = (build(slipway, folder, "--serving", serving["digest"]).json()["comparison"] for _ in range(2))
    assert first["comparable"]
    assert first == second  # to the last digit of what was timed


def test_a_model_with_other_inputs_can_not_be_compared(slipway, toy, serving):
    folder = toy(('["x", "weights"]', '["y", "weights"]'), ('_info("x"', '_info("y"'), ('{"x":', '{"y":'), name="other")
    ended = build(slipway, folder, "--serving", serving["digest"])
    assert ended.code == 3, ended.err
    assert "its inputs are y float32 [None, 64], those of the other x float32 [None, 64]" in ended.err


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_serving_artifact_that_can_not_be_read_is_told(slipway, toy, tmp_path, serving, how):
    store = tmp_path / "artifacts"
    shutil.copytree(serving["path"], store / "made")
    (store / "made" / "card.md").write_text("another that this machine lacks")
    digest = seal(store / "made")
    if how == "damaged":
        copy = (store / "made").rename(store / digest.replace(":", "-"))
        (copy / "model.onnx").write_bytes(b"broken")
    ended = build(slipway, toy(("(1, 400)", "(32, 400)")), "--serving", f"{store.as_uri()}@{digest}")
    assert ended.code == 3, ended.err
    assert "what serves now can't be compared" in ended.err
    assert "damaged or not in its store" in ended.err


@pytest.mark.parametrize("there", [True, False])
def test_a_stack_compares_with_what_serves_or_says_that_it_can_not(there, monkeypatch):
    serving, ran = f"file:///store@sha256:{'0' * 64}", []
    service = SimpleNamespace(model="models/toy", variant=None, acceptWorse=False)
    monkeypatch.setattr(
        slipway.cli.stack, "config_of", lambda _: SimpleNamespace(environment="dev", services={"toy": service})
    )
    monkeypatch.setattr(slipway.cli.stack, "outputs", lambda *_, **__: {"services": {"toy": {"artifactUri": serving}}})
    monkeypatch.setattr(slipway.cli.stack, "_artifact", lambda _: Path("/store") if there else None)
    monkeypatch.setattr(subprocess, "run", lambda command: ran.append(command) or SimpleNamespace(returncode=0))
    said = CliRunner().invoke(slipway.cli.stack.stack, ["build"]).output
    assert ran[0][-2:] == (["--serving", serving] if there else ["models/toy", "--in-stack"])
    assert said == ("" if there else f"toy: not compared with what serves now, which its store lacks: {serving}\n")


def test_a_refused_model_is_named_and_the_others_are_built(monkeypatch):
    service = {"variant": None, "acceptWorse": False}
    services = {name: SimpleNamespace(model=f"models/{name}", **service) for name in ("bad", "good", "new", "fine")}
    config = SimpleNamespace(environment="dev", services=services)
    uri = f"file:///store@sha256:{'0' * 64}"
    served = {"services": {name: {"artifactUri": uri} for name in ("bad", "good")}}
    codes = {"models/bad": 3, "models/new": 2}
    monkeypatch.setattr(slipway.cli.stack, "config_of", lambda _: config)
    monkeypatch.setattr(slipway.cli.stack, "outputs", lambda *_, **__: served)
    monkeypatch.setattr(slipway.cli.stack, "_artifact", lambda _: Path("/store"))
    monkeypatch.setattr(
        subprocess, "run", lambda command: SimpleNamespace(returncode=codes.get(command[command.index("build") + 1], 0))
    )
    ended = CliRunner().invoke(slipway.cli.stack.stack, ["build", "--stack", "test"])
    assert ended.exit_code == 3
    assert "bad: its model models/bad was not taken, for the reason above; keeps what it serves" in ended.output
    assert "new: its model models/new was not taken, for the reason above; serves nothing yet" in ended.output
    assert 'To go on with the rest: make up STACK=test SERVICES="good fine"' in ended.output
    kept = CliRunner().invoke(slipway.cli.stack.stack, ["keep", "--stack", "test", "good", "fine"])
    assert json.loads(kept.output) == {"bad": uri, "new": None}
    wrong = CliRunner().invoke(slipway.cli.stack.stack, ["keep", "godo"])
    assert "has no service godo; it has bad, good, new, fine" in str(wrong.exception)
    monkeypatch.setattr(slipway.cli.stack, "_artifact", lambda _: None)
    gone = CliRunner().invoke(slipway.cli.stack.stack, ["keep", "fine"])
    assert "bad can't keep what it serves, which its store lacks" in str(gone.exception)


def test_a_refusal_shows_the_table_and_is_not_trained_again(slipway, toy, tmp_path):
    folder, flag = toy(("+ noise", "* 0.04 + noise")), tmp_path / "trained"
    variables = {"TOY_FLAG": flag, "TOY_SECONDS": 0}
    first = slipway("model", "build", folder, **variables)
    assert first.code == 3
    assert "int8-dynamic" in first.err
    flag.unlink()
    second = slipway("model", "build", folder, **variables)
    assert second.code == 3
    assert not flag.exists()
    assert "int8-dynamic" in second.err
    assert f"(judged before; to judge anew: slipway model build {folder} --again)" in second.err
    assert "below the minimum 0.9" in second.err
    assert slipway("model", "build", folder, "--again", **variables).code == 3
    assert flag.exists()


def test_a_pinned_variant_outside_the_budget_is_refused_with_the_table(slipway):
    plane = Path(__file__).parents[1] / "models" / "plane"
    refused = slipway("model", "build", plane, "--variant", "int8-static")
    assert refused.code == 3
    assert "the pinned variant int8-static misses the accuracy budget: drop " in refused.err
    assert "outside the budget" in refused.err


def test_compare_runs_two_models_side_by_side(slipway, toy, serving):
    folder = toy(("(1, 400)", "(33, 400)"), name="mine")
    build(slipway, folder)
    ref = f"{serving['uri']}@{serving['digest']}"
    result = slipway("model", "compare", folder, ref, "--json").json()
    assert result["samples"] == 400
    assert result["ours"]["latencyMs"]["p50"] > 0
    shown = slipway("model", "compare", folder, ref)
    assert shown.code == 0
    assert "is worse than" in shown.out
    assert slipway("model", "compare", ref, folder).code == 2


LOOSE = "task: classification\nmetric: accuracy\nminimum: 0.3\nbudget: 0.02\n"
