"""Whatever graph is brought, the build ends in an artifact that serves, or in a refusal that says why."""

from pathlib import Path

import pytest

from tests.pipeline.probes.odd_names import SMALL


@pytest.fixture(scope="module")
def ends(odd_graphs):
    return odd_graphs(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_an_odd_graph_is_served_or_refused_in_one_message(ends, served_right, name):
    found = ends[name]
    assert found["end"] in ("built", "input", "refused"), found["words"]
    if found["end"] == "built":
        served_right(found["artifact"])
    else:
        assert found["words"] and "\n" not in found["words"]


def test_what_a_graph_is_refused_for_is_named(ends):
    assert "a batch of 8 is baked into the model" in ends["a batch of 8 baked in"]["words"]
    assert "output y changes by up to" in ends["noise"]["words"]


def test_weights_above_what_one_file_holds_lie_beside_the_graph_in_the_artifact_too(ends):
    artifact = Path(ends["weights above what one file holds"]["artifact"])
    assert (artifact / "model.onnx.data").stat().st_size >= (4 * 500 + 500 * 3) * 4
    assert (artifact / "model.onnx").stat().st_size < 2000


def test_what_is_served_otherwise_or_left_out_is_told(ends):
    assert ends["a batch of 1 baked in"]["words"].startswith("served one sample at a time: a batch of one is baked")
    assert "output label is left out" in ends["a label first, then maps"]["words"]
    assert ends["weights above what one file holds"]["words"].startswith("not slimmed: its 0.0 GB are more than")
    constant = ends["a constant second output of three"]["words"]
    assert constant.startswith("output z is left out: it is the same for every sample")
