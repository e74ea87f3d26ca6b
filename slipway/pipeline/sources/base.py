"""What every source gives the pipeline."""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from slipway.pipeline import runtime
from slipway.pipeline.classes import Class
from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput

Predict = Callable[[Inputs], list[np.ndarray]]
Change = Callable[[list[np.ndarray]], list[np.ndarray]]


@dataclass(frozen=True)
class Converted:
    """A model as ONNX, in memory or as a file; `predict` answers as the model did where it came from, one array per
    output of the graph, None where the graph itself is the source. `classes`: in the order of its scores, `columns`: of
    its one input, where the model knows them."""

    framework: str
    model: onnx.ModelProto | Path
    predict: Predict | None = None
    classes: tuple[Class, ...] | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Source:
    """The same as a file that ONNX Runtime loads, from which all variants are made. `specs`: of its inputs and outputs,
    as they were brought. `original`: what the model answered where it came from, None where the graph is the model.
    `notes`: what of the model is left out or served in another way, and why."""

    framework: str
    path: Path
    specs: runtime.Specs
    original: Predict | None
    classes: tuple[Class, ...] | None = None
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None

    def predict(self, inputs: Inputs) -> list[np.ndarray]:
        """The original's answers; where the graph itself is the original, its own without any optimization."""
        if self.original is not None:
            return self.original(inputs)
        return runtime.predict(runtime.session(self.path, optimized=False), inputs)

    def answering(self, change: Change) -> "Source":
        """Once the graph's outputs were changed so: the original's answers, changed alike."""
        original = self.original
        if original is None:
            return replace(self)
        return replace(self, original=lambda inputs: change(original(inputs)))

    def keeping(self, places: list[int]) -> "Source":
        """Once the graph answers the outputs at some places alone. An original with one answer, as an estimator beside
        a graph, answers the first of them."""
        return self.answering(lambda answers: answers if len(answers) == 1 else [answers[at] for at in places])


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
