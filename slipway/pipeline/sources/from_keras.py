"""Keras 3: its own ONNX exporter."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from slipway.pipeline import runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.sources.base import Source, first_line, rename, require_known

REMEDY = (
    "leave its layer out of the model that train() returns. Layers for augmentation belong around the model, not in it"
)


def load(path: Path, training: Inputs) -> Source:
    """A `.keras` or `.h5` file; nothing that it holds is run as code."""
    import keras

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise BadInput(f"{shown(path)} is not a model that Keras can load: {first_line(error)}") from error
    return convert(model, training)


def convert(model: Any, training: Inputs) -> Source:
    """Inputs and outputs keep the names that they have in Keras."""

    def predictions(inputs: Inputs) -> list[np.ndarray]:
        ordered = [inputs[each.name] for each in model.inputs]
        answer = model.predict(ordered if len(ordered) > 1 else ordered[0], batch_size=runtime.CHUNK, verbose=0)
        return list(answer.values()) if isinstance(answer, dict) else answer if isinstance(answer, list) else [answer]

    try:
        names = {each.name for each in model.inputs}
    except (AttributeError, ValueError, TypeError):
        raise BadInput("the Keras model has no defined inputs; start it with keras.Input(shape, name=...)") from None
    if names == set(training):
        predictions({name: array[:1] for name, array in training.items()})  # one never called is not exported
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            model.export(path, format="onnx", verbose=False)
        except Exception as error:
            raise BadInput(f"Keras does not export the model to ONNX: {first_line(error)}") from error
        proto = onnx.load(path)
    require_known(proto, [layer.name for layer in model.layers], REMEDY)
    renamed = {given.name: layer.name for given, layer in zip(proto.graph.input, model.inputs, strict=True)}
    renamed |= {given.name: name for given, name in zip(proto.graph.output, model.output_names, strict=True)}
    rename(proto.graph, renamed)
    return Source("keras", proto, predictions)
