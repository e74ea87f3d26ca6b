"""Classes are answered as probabilities: where a model answers logits, a softmax is added to its graph."""

from dataclasses import replace

import numpy as np
import onnx
from onnx import helper

from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput
from slipway.pipeline.settings import Settings
from slipway.pipeline.sources.base import Source

SAMPLES = 200
ROUNDING = 1e-3
NAME = "probabilities"


def with_probabilities(source: Source, settings: Settings, inputs: Inputs) -> Source:
    """`source`, with a softmax behind its first output where that is logits: (n, classes) with a number outside 0 to 1.

    `scores:` in model.yaml says what the output is: `logits`, `probabilities`, or `raw` for an output to be left as it
    is. Unsaid it is told by the answers to `inputs`, and with a metric of the user's own, which is written for the
    output that the model has, nothing is added. Raises BadInput where what was said can't be.
    """
    if settings.task != "classification" or settings.scores == "raw":
        return source
    few = {name: array[:SAMPLES] for name, array in inputs.items()}
    values = source.predict(few)[0]
    inside = bool((values >= -ROUNDING).all() and (values <= 1 + ROUNDING).all())
    if settings.scores == "probabilities" and not inside:
        raise BadInput(f"scores: probabilities, but the model answers {values.min():.3g} to {values.max():.3g}")
    logits = settings.scores == "logits" or (settings.scores is None and settings.metric != "custom" and not inside)
    if not logits or values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind != "f":
        return source

    def predict(inputs: Inputs) -> list[np.ndarray]:
        first, *others = source.predict(inputs)
        return [_softmax(first), *others]

    return replace(source, proto=_extended(source.proto), predict=predict)


def _extended(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose first output goes through a softmax, and is called `probabilities` where nothing else is."""
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    graph = model.graph
    output = graph.output[0]
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {each.name for each in (*graph.input, *graph.initializer, *graph.output)}
    name = NAME if NAME not in taken else f"{output.name}/{NAME}"
    graph.node.append(helper.make_node("Softmax", [output.name], [name], name=f"{name}/softmax", axis=1))
    output.name = name
    return model


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    softmax: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return softmax
