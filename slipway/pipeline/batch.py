"""How many samples a graph takes at once, found by running it; and each output with one row a sample."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from slipway.pipeline import onnx_file, runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.differences import apart
from slipway.pipeline.errors import BadInput
from slipway.pipeline.guard import Failed, guarded, words
from slipway.pipeline.interface import rewire
from slipway.service.artifact import TensorSpec

SAMPLES = 16
BYTES = 2**26  # of what the samples put in; it goes to children and comes back
BAKED = (4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 25, 32, 48, 50, 64, 100, 128, 256)  # batches that people export with
AXES_ARE_INPUTS = 13  # the opset since which
Outputs = list[np.ndarray]
Specs = tuple[TensorSpec, ...]


@dataclass(frozen=True)
class Rows:
    """What was found of a graph. `dropped`: places of outputs that are left out; `notes`: why, and why it takes one
    sample at a time."""

    dropped: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def few(inputs: Inputs) -> Inputs:
    """A few samples, spread evenly."""
    count = len(next(iter(inputs.values())))
    each = max(1, sum(array[:1].nbytes for array in inputs.values()))
    at = np.unique(np.linspace(0, count - 1, max(3, min(SAMPLES, BYTES // each))).astype(int))
    at = np.resize(at, max(3, len(at)))
    return {name: array[at] for name, array in inputs.items()}


def with_rows(path: Path, inputs: Specs, training: Inputs) -> Rows:
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
    one = "its batch is one" if fixed else _why_one(names, ran)
    rows = _alone(model, ran[1], one, fixed) if one else _together(model, ran)
    if rows is None:
        return Rows()
    onnx.save(model, path)
    return rows


def run_in_parts(path: Path, samples: Inputs) -> dict[Any, Any]:
    """In a child process. By the size of the batch one list of outputs for each run, or the error as text: `1` for
    each sample, 2 and 3 of them, and all; `again`: the first sample once more."""
    running = runtime.session(path, optimized=False, quiet=True)
    count = len(next(iter(samples.values())))

    def run(start: int, size: int) -> Outputs:
        found: Outputs = running.run(None, {name: array[start : start + size] for name, array in samples.items()})
        return found

    ran: dict[Any, Any] = {}
    for key, starts, size in (
        (1, range(count), 1),
        ("again", (0,), 1),
        (2, (0,), 2),
        (3, (0,), 3),
        ("all", (0,), count),
    ):
        try:
            ran[key] = [run(start, size) for start in starts]
        except Exception as error:
            ran[key] = words(error)
    return ran


def takes(path: Path, inputs: Inputs, sizes: tuple[int, ...]) -> int | None:
    """In a child process. The first of some sizes of a batch that the graph can be run with."""
    running = runtime.session(path, optimized=False, quiet=True)
    for size in sizes:
        with contextlib.suppress(Exception):
            running.run(None, {name: np.resize(array, (size, *array.shape[1:])) for name, array in inputs.items()})
            return size
    return None


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


def _why_one(names: list[str], ran: dict[Any, Any]) -> str:
    """Why samples can't share a run, nothing where they can."""
    for size in (2, 3, "all"):
        if isinstance(ran[size], str):
            return f"a batch of one is baked into it ({runtime.shortened(ran[size])})"
    singles, many = ran[1], ran["all"][0]
    for at, name in enumerate(names):
        axis = _row_axis(at, ran)
        if axis is None:
            if at == 0 or not _constant(at, ran):
                return f"its output {name} has not one row for each sample"
            continue
        beside = np.moveaxis(many[at], axis, 0)
        if any(each[at].size != beside[0].size for each in singles):
            return f"its output {name} has another size from sample to sample"
    return ""


def _row_axis(at: int, ran: dict[Any, Any]) -> int | None:
    """The axis of an output that grows with the batch; None where there is none, or not one for each sample."""
    one, two, three = (ran[size][0][at].shape for size in (1, 2, 3))
    count = len(ran[1])
    many = ran["all"][0][at].shape
    if not len(two) == len(three) == len(many) or len(two) - len(one) not in (0, 1):
        return None
    for axis, sizes in enumerate(zip(two, three, many, strict=True)):
        rest = (*two[:axis], *two[axis + 1 :])
        alone = one if len(one) < len(two) else (*one[:axis], *one[axis + 1 :])
        if sizes == (2, 3, count) and rest == alone and (len(one) < len(two) or one[axis] == 1):
            return axis if len(one) == len(two) or axis == 0 else None
    return None


def _constant(at: int, ran: dict[Any, Any]) -> bool:
    runs = [*ran[1], ran[2][0], ran[3][0], ran["all"][0]]
    return all(each[at].shape == runs[0][at].shape and not apart(each[at], runs[0][at]) for each in runs)


def _together(model: onnx.ModelProto, ran: dict[Any, Any]) -> Rows | None:
    """Rows first in each output of a graph that takes any batch; None where they are."""
    graph, dropped, notes, changed = model.graph, [], [], False
    for at, output in enumerate(list(graph.output)):
        axis, shape = _row_axis(at, ran), ran[2][0][at].shape
        if axis is None:
            dropped.append(at)
            notes.append(f"output {output.name} is left out: it is the same for every sample")
            graph.output.remove(output)
        elif len(ran[1][0][at].shape) < len(shape):  # a batch of one is squeezed away
            _through(model, output, "Reshape", ["batch", *shape[1:]], [-1, *shape[1:]])
        elif axis:
            front = [axis, *(each for each in range(len(shape)) if each != axis)]
            _through(model, output, "Transpose", ["batch", *(shape[each] for each in front[1:])], front)
        elif not _ranked(output, ["batch", *_common({each[at].shape for each in ran[1]})[1:]]):
            continue
        changed = True
    return Rows(tuple(dropped), tuple(notes)) if changed else None


def _alone(model: onnx.ModelProto, singles: list[Outputs], why: str, fixed: bool) -> Rows:
    """The batch of a graph fixed at one; an output without a row for the sample gets one."""
    graph = model.graph
    constants = {each.name for each in graph.initializer}
    batches = set()
    for given in (each for each in graph.input if each.name not in constants):
        first = given.type.tensor_type.shape.dim[0]
        batches.add(first.dim_param)
        first.Clear()
        first.dim_value = 1
    del graph.value_info[:]
    notes = [] if fixed else [f"served one sample at a time: {why}"]
    for at, output in enumerate(list(graph.output)):
        shapes = {each[at].shape for each in singles}
        declared = output.type.tensor_type.shape.dim
        length = declared[0].dim_param if len(declared) else ""
        if all(shape[:1] == (1,) for shape in shapes) and (not length or length in batches or fixed):
            if not _ranked(output, [1, *_common(shapes)[1:]]):
                declared[0].Clear()
                declared[0].dim_value = 1
            continue
        _through(model, output, "Unsqueeze", [1, *_common(shapes)], [0])
        notes.append(f"output {output.name} is answered whole, as one row")
    return Rows((), tuple(notes))


def _ranked(output: onnx.ValueInfoProto, shape: list[Any]) -> bool:
    """Whether an output was declared with another rank, or a fixed batch where it is free; now it is as found."""
    dims = output.type.tensor_type.shape.dim
    if len(dims) == len(shape) and not (dims[0].dim_value and shape[0] != dims[0].dim_value):
        return False
    output.CopyFrom(helper.make_tensor_value_info(output.name, output.type.tensor_type.elem_type, shape))
    return True


def _common(shapes: set[tuple[int, ...]]) -> list[int | None]:
    """Sizes, None where they differ."""
    return [sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True)]


def _through(
    model: onnx.ModelProto, output: onnx.ValueInfoProto, operator: str, shape: list[Any], given: list[int]
) -> None:
    """An output's values through one more node, before they get its name; `given`: the node's axes, sizes or order."""
    graph, name, inner = model.graph, output.name, f"{output.name}/without_rows"
    rewire(graph, name, inner)
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    if operator == "Transpose":
        node = helper.make_node(operator, [inner], [name], perm=given)
    elif operator == "Unsqueeze" and opset < AXES_ARE_INPUTS:
        node = helper.make_node(operator, [inner], [name], axes=given)
    else:
        node = helper.make_node(operator, [inner, f"{inner}/given"], [name])
        graph.initializer.append(numpy_helper.from_array(np.array(given, np.int64), f"{inner}/given"))
    node.name = f"{inner}/{operator}"
    graph.node.append(node)
    output.CopyFrom(helper.make_tensor_value_info(name, output.type.tensor_type.elem_type, shape))
