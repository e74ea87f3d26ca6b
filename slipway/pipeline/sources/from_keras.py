"""Keras 3: its own ONNX exporter."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from slipway.pipeline import runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.sources.base import Converted, Predict, first_line, rename, require_known

REMEDY = (
    "leave its layer out of the model that train() returns. Layers for augmentation belong around the model, not in it"
)


def load(path: Path, training: Inputs) -> Converted:
    """A `.keras` or `.h5` file; nothing that it holds is run as code."""
    import keras

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise BadInput(f"{shown(path)} is not a model that Keras can load: {first_line(error)}") from error
    return convert(model, training)


def convert(model: Any, training: Inputs) -> Converted:
    """Inputs and outputs keep the names that they have in Keras; where there is one input it gets the data's name."""
    predictions = answers(model, training)
    import tf2onnx  # before the export, which tells of a missing package in words of its own

    assert tf2onnx
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            model.export(path, format="onnx", verbose=False)
        except Exception as error:
            raise BadInput(f"Keras does not export the model to ONNX: {first_line(error)}") from error
        proto = onnx.load(path)
    require_known(proto, [layer.name for layer in model.layers], REMEDY)
    inputs = _inputs(model, training)
    renamed = {given.name: name for given, name in zip(proto.graph.input, inputs, strict=True)}
    renamed |= {given.name: name for given, name in zip(proto.graph.output, _outputs(model), strict=True)}
    rename(proto.graph, renamed)
    return Converted("keras", proto, predictions)


def answers(model: Any, training: Inputs) -> Predict:
    """The model's own predictions; one that was never called is called, as it has no inputs before. Raises BadInput
    where it has none then."""

    def predictions(inputs: Inputs) -> list[np.ndarray]:
        ordered = [inputs[name] for name in _inputs(model, training)]
        answer = model.predict(ordered if len(ordered) > 1 else ordered[0], batch_size=runtime.CHUNK, verbose=0)
        return list(answer.values()) if isinstance(answer, dict) else answer if isinstance(answer, list) else [answer]

    if len(training) == 1 and not getattr(model, "built", True):
        (only,) = training.values()
        try:
            model(only[:1])
        except Exception as error:
            raise BadInput(f"the Keras model does not take the training data: {first_line(error)}") from error
    try:
        names = set(_inputs(model, training))
    except (AttributeError, ValueError, TypeError):
        raise BadInput("the Keras model has no defined inputs; start it with keras.Input(shape, name=...)") from None
    if names == set(training):
        predictions({name: array[:1] for name, array in training.items()})  # one never called is not exported
    return predictions


def _inputs(model: Any, training: Inputs) -> list[str]:
    names = [each.name for each in model.inputs]
    return list(training) if len(names) == len(training) == 1 else names


def _outputs(model: Any) -> list[str]:
    """A Sequential has one output, and the name of its last layer stands for it."""
    if hasattr(model, "output_names"):
        return list(model.output_names)
    return [model.layers[-1].name] if len(model.outputs) == 1 else [each.name for each in model.outputs]
