"""`slipway model build` keeps nothing that the real service can't serve as it was judged."""

import json
import sys
from pathlib import Path

import pytest
from slipway.infra.home import home

from slipway.ops.models.process import run_pipeline
from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.virtualenvs import environment
from slipway.pipeline.errors import Refused

DOUBLE = [sys.executable, str(Path(__file__).with_name("service_double.py"))]
# A detour that adds the same to every score, so that it changes no answer; INT8 spares most of its time.
DETOUR = (
    "nodes = [",
    """SIZE = 1000
    generator = np.random.default_rng(3)
    into = numpy_helper.from_array(generator.normal(size=(64, SIZE)).astype("float32"), "into")
    square = numpy_helper.from_array(generator.normal(size=(SIZE, SIZE)).astype("float32") / SIZE, "square")
    nodes = [helper.make_node("MatMul", ["x", "into"], ["a"]), helper.make_node("MatMul", ["a", "square"], ["b"]),
             helper.make_node("ReduceMean", ["b"], ["c"], axes=[1]),
             helper.make_node("MatMul", ["x", "weights"], ["d"]),
             helper.make_node("Add", ["c", "d"], ["scores"]), helper.make_node("Softmax", ["scores"], ["p"])]
    unused = [""",
)
BIG = (DETOUR, ("[x], [p], [weights])", "[x], [p], [weights, into, square])"))
BY_THE_BATCH = (
    (
        "nodes = [",
        'nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[0]), helper.make_node("Sub", ["x", "m"], ["y"]), ',
    ),
    ('"MatMul", ["x", "weights"]', '"MatMul", ["y", "weights"]'),
)
NUMBERED = (
    ("nodes = [", 'nodes = [helper.make_node("ArgMax", ["p"], ["number"], axis=1, keepdims=0)]\n    nodes[:0] = ['),
    ("[x], [p],", '[x], [p, helper.make_tensor_value_info("number", TensorProto.INT64, ["batch"])],'),
)


@pytest.fixture
def pipeline(toy_home, tmp_path):
    """Runs the pipeline's process on a folder before another service than the real one; the artifact's report."""

    def pipeline(folder, *options):
        python, work = environment([PIPELINE_LOCK], home() / "envs"), tmp_path / "work"
        work.mkdir()
        run_pipeline(python, folder, work, toy_home, "--service", json.dumps(DOUBLE), *options, verbose=False)
        return json.loads((work / "artifact" / "report.json").read_bytes())

    return pipeline


def test_a_variant_that_can_not_be_served_gives_way_to_the_next_with_its_reason(pipeline, toy):
    report = pipeline(toy(*BIG))
    notes = {each["name"]: each["note"] for each in report["variants"]}
    assert "can't be served: this double takes no INT8" in notes.values()
    assert report["choice"]["variant"] == "fp32"
    assert report["served"]["ways"].keys() >= {"batches", "json", "side by side"}


def test_a_pinned_variant_that_can_not_be_served_is_refused(pipeline, toy):
    with pytest.raises(Refused, match="the pinned variant int8-dynamic can't be served: this double takes no INT8"):
        pipeline(toy(*BIG), "--variant", "int8-dynamic")


def test_a_model_that_is_good_only_in_batches_is_refused_by_what_it_answers_alone(slipway, toy):
    ended = slipway("model", "build", toy(*BY_THE_BATCH, name="normalized"))
    assert ended.code == 3, ended.err
    assert "normalized: accuracy 0.3" in ended.err
    assert "is below the minimum 0.9" in ended.err
    assert "An answer of it depends on the rest of its batch: alone the answer differs by up to" in ended.err


def test_the_card_and_the_report_say_what_the_service_answered(slipway, toy):
    ended = slipway("model", "build", toy(*NUMBERED, name="numbered"), "--json")
    assert ended.code == 0, ended.err
    folder = Path(ended.json()["path"])
    served = json.loads((folder / "report.json").read_bytes())["served"]
    assert served["ways"]["batches"]["samples"] == 400
    assert {way: each["samples"] for way, each in served["ways"].items() if way != "batches"} == dict.fromkeys(
        ("json", "v2", "v2 bytes", "company", "side by side"), 200
    )
    assert (
        f"as the service answers it: accuracy {served['metric']:.4f}, the worst of batches"
        in (folder / "card.md").read_text()
    )
