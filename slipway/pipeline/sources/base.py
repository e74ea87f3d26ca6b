"""What every source gives the pipeline."""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx

from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput


@dataclass(frozen=True)
class Source:
    """A model as ONNX; `predict` answers as the model did where it came from, one array per output."""

    framework: str
    proto: onnx.ModelProto
    predict: Callable[[Inputs], list[np.ndarray]]


def require_known(proto: onnx.ModelProto, layers: list[str], remedy: str) -> None:
    """Raises BadInput naming the node, and the layer it came from, that uses an operator which ONNX does not have."""
    for node in proto.graph.node:
        if node.domain not in ("", "ai.onnx") or _known(node.op_type):
            continue
        parts = node.name.split("/")  # a layer's name may have got a number
        layer = next(
            (each for each in layers if any(re.fullmatch(rf"{re.escape(each)}(_\d+)?", p) for p in parts)), None
        )
        place = f"node {node.name}" + (f" of layer {layer}" if layer else "")
        raise BadInput(f"ONNX has no operator {node.op_type} ({place}); {remedy}")


def rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Gives tensors other names in place, also in subgraphs; one that has such a name already moves out of the way."""
    new = {old: name for old, name in names.items() if old != name}
    mapping = {name: f"{name}/inner" for name in new.values() if name not in new} | new
    for tensor in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        tensor.name = mapping.get(tensor.name, tensor.name)
    for node in graph.node:
        node.input[:] = [mapping.get(name, name) for name in node.input]
        node.output[:] = [mapping.get(name, name) for name in node.output]
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                rename(inner, names)


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:400]


def _known(operator: str) -> bool:
    with contextlib.suppress(onnx.defs.SchemaError):
        onnx.defs.get_schema(operator)
        return True
    return False
