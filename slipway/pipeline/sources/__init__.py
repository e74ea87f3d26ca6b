"""Whatever `train` returned, as ONNX with the framework's own predictions: one module for each framework."""

from pathlib import Path
from typing import Any

import onnx

from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput
from slipway.pipeline.sources.base import Source


def source_of(model: Any, folder: Path, training: Inputs) -> Source:
    """Converts a model, or loads and converts a file of one; `training` gives names, dtypes and shapes of its inputs.

    Raises BadInput where it is no model or does not convert. A framework is imported only where its model is.
    """
    if isinstance(model, str | Path):
        return _from_file(folder / model, training)
    if isinstance(model, onnx.ModelProto):
        from slipway.pipeline.sources import from_onnx

        return from_onnx.convert(model)
    origins = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    if "keras" in origins:
        from slipway.pipeline.sources import from_keras

        return from_keras.convert(model, training)
    if "torch" in origins:
        from slipway.pipeline.sources import from_torch

        return from_torch.convert(model, training)
    if "sklearn" in origins:
        from slipway.pipeline.sources import from_sklearn

        return from_sklearn.convert(model, training)
    raise BadInput(
        f"train() of {folder.name} returned {type(model).__module__}.{type(model).__name__}; return a Keras, "
        "scikit-learn or PyTorch model, an onnx.ModelProto, or the path of an .onnx, .keras or .h5 file or a SavedModel"
    )


def _from_file(path: Path, training: Inputs) -> Source:
    if not path.exists():
        raise BadInput(f"the model file {path} is missing")
    if path.suffix in (".keras", ".h5"):
        from slipway.pipeline.sources import from_keras

        return from_keras.load(path, training)
    if path.is_dir():
        from slipway.pipeline.sources import from_savedmodel

        return from_savedmodel.load(path)
    from slipway.pipeline.sources import from_onnx

    return from_onnx.load(path)
