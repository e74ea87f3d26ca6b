"""How many samples a graph takes at once, found by running it; and each output with one row a sample."""

import contextlib
from pathlib import Path
from typing import Any

import onnx

from slipway.pipeline import onnx_file, runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.differences import apart
from slipway.pipeline.errors import BadInput
from slipway.pipeline.guard import Failed, guarded
from slipway.pipeline.rows import Rows, alone, together
from slipway.pipeline.runs import few, run_in_parts, takes, why_one
from slipway.service.artifact import TensorSpec

BAKED = (4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 25, 32, 48, 50, 64, 100, 128, 256)  # batches that people export with


def with_rows(path: Path, inputs: tuple[TensorSpec, ...], training: Inputs) -> Rows:
    """Changes the graph in `path` so that each of its outputs has one row a sample, its batch fixed at one where it
    takes no other. One whose answers depend on the samples beside keeps a free batch: see company.py. Raises BadInput
    where it can't be run, or not as it is to be served."""
    samples = few(training)
    try:
        ran = guarded(run_in_parts, path, samples)
    except Failed as failed:
        raise BadInput(f"ONNX Runtime can't run the model: {failed}") from failed
    if isinstance(ran[1], str):
        raise _refused(path, samples, ran)
    model = onnx_file.graph_of(path)
    names = [each.name for each in model.graph.output]
    for name, first, again in zip(names, ran[1][0], ran["again"][0], strict=True):
        if difference := apart(first, again):
            raise BadInput(
                f"the model's output {name} changes by {difference} from one run to the next of the same sample; "
                "export it for inference, without random operators"
            )
    for at, name in enumerate(names):
        if len({each[at].ndim for each in ran[1]}) > 1:
            raise BadInput(f"the model's output {name} has more axes for one sample than for another")
    fixed = any(spec.shape[0] == 1 for spec in inputs)
    one = "its batch is one" if fixed else why_one(names, ran)
    rows = alone(model, ran[1], one, fixed) if one else together(model, ran)
    if rows is None:
        return Rows()
    onnx.save(model, path)
    return rows


def _refused(path: Path, samples: Inputs, ran: dict[Any, Any]) -> BadInput:
    reason = runtime.shortened(ran[1])
    sizes = (*(each for each in (2, 3) if not isinstance(ran[each], str)), *BAKED)
    with contextlib.suppress(Failed):
        if size := guarded(takes, path, samples, sizes):
            return BadInput(
                f"a batch of {size} is baked into the model, which can't be run on one sample ({reason}). Export it "
                "with a free batch axis, or for one sample"
            )
    return BadInput(f"ONNX Runtime can't run the model on the training data: {reason}")
