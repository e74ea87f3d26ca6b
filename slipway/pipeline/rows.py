"""Each output of a graph with one row a sample, by nodes behind it; how the graph computes its answers stays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from slipway.pipeline.axes import rewire
from slipway.pipeline.runs import Outputs, row_axis

AXES_ARE_INPUTS = 13  # the opset since which


@dataclass(frozen=True)
class Rows:
    """What was found of a graph. `dropped`: places of outputs that are left out; `notes`: why, and why it takes one
    sample at a time."""

    dropped: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def together(model: onnx.ModelProto, ran: dict[Any, Any]) -> Rows | None:
    """Rows first in each output of a graph that takes any batch; None where they are."""
    graph, dropped, notes, changed = model.graph, [], [], False
    for at, output in enumerate(list(graph.output)):
        axis, shape = row_axis(at, ran), ran[2][0][at].shape
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


def alone(model: onnx.ModelProto, singles: list[Outputs], why: str, fixed: bool) -> Rows:
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
