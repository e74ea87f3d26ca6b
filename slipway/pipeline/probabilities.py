"""Classes are answered as probabilities: where a model answers logits, a softmax is added to its graph."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from slipway.pipeline import onnx_file
from slipway.pipeline.axes import rewire
from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput
from slipway.pipeline.settings import Settings
from slipway.pipeline.sources.base import Source

SAMPLES = 200
ROUNDING = 1e-3


def with_probabilities(source: Source, settings: Settings, inputs: Inputs) -> Source:
    """`source`, with a softmax behind its judged output where that is logits: (n, classes) with a number outside 0 to
    1. Its file is changed.

    `scores:` in model.yaml says what the output is: `logits`, `probabilities`, or `raw` for an output to be left as it
    is. Unsaid it is told by the answers to `inputs`, and with a metric of the user's own, which is written for the
    output that the model has, nothing is added. Raises BadInput where what was said can't be.
    """
    if settings.task != "classification" or settings.scores == "raw":
        return source
    few = {name: array[:SAMPLES] for name, array in inputs.items()}
    values = source.predict(few)[0]
    if values.dtype.kind != "f":
        return source
    inside = bool((values >= -ROUNDING).all() and (values <= 1 + ROUNDING).all())
    if settings.scores == "probabilities" and not inside:
        raise BadInput(f"scores: probabilities, but the model answers {values.min():.3g} to {values.max():.3g}")
    logits = settings.scores == "logits" or (settings.scores is None and settings.metric != "custom" and not inside)
    if not logits or values.ndim != 2 or values.shape[1] < 2 or not _extend(source.path):
        return source
    return source.answering(lambda answers: [_softmax(answers[0]), *answers[1:]])


def _extend(path: Path) -> bool:
    """The first output goes through a softmax, where a node makes it; it keeps its name, by which it is called."""
    model = onnx_file.graph_of(path)
    name = model.graph.output[0].name
    if not any(name in node.output for node in model.graph.node):
        return False
    inner = f"{name}/logits"
    rewire(model.graph, name, inner)
    model.graph.node.append(helper.make_node("Softmax", [inner], [name], name=f"{name}/softmax", axis=1))
    onnx.save(model, path)
    return True


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    softmax: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return softmax
