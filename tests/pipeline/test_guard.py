"""A step that crashes, hangs, or changes what a model answers costs that step alone."""

import pytest


@pytest.fixture(scope="module")
def steps(probe):
    return probe("guarded", "slipway/pipeline/requirements.txt")


@pytest.mark.parametrize(
    ("step", "words"),
    {
        "abort": "Failed: its process ended with signal 6 (SIGABRT)",
        "fail": "Failed: ValueError: not this",
        "refuse": "BadInput: not that",
        "hang": "Failed: it had not ended after 1 s",
    }.items(),
)
def test_a_step_is_over_in_one_line_however_it_ends(steps, step, words):
    assert steps[step] == words


@pytest.mark.parametrize(
    "words",
    [
        "crashing left out: its process ended with signal 6 (SIGABRT)",
        "baking left out: ValueError: it changes the input x from tensor(float) ['any', 4] to tensor(float) [16, 4]",
        "wrong left out: ValueError: it changes the output y by up to",
        "dropping left out: ValueError: it drops the input idle",
    ],
)
def test_a_step_that_changes_the_model_is_left_out_with_its_reason(steps, words):
    assert words in steps["optimize"]


def test_weights_above_the_limit_lie_beside_the_graph_and_are_written_once(steps):
    large = steps["large"]
    assert large["shared"] == ["fp32.onnx", "s.onnx.data"]
    assert large["files"] == ["artifact.onnx", "artifact.onnx.data"]


def test_a_model_above_the_limit_is_fp32_alone_or_half_of_it_for_gpus(steps):
    variants = steps["large"]["variants"]
    assert [name for name, note in variants["cpu"] if "not made" not in note] == ["fp32"]
    assert [name for name, note in variants["nvidia"] if "too large" not in note or name == "fp32"] == ["fp32", "fp16"]
    assert 0.4 < steps["large"]["half"] < 0.7
