"""Whatever `train` returned, as ONNX with the framework's own predictions: one module for each framework."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import onnx
import onnx.version_converter

from slipway.pipeline import onnx_file, runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.guard import Failed, guarded
from slipway.pipeline.interface import put_in_form
from slipway.pipeline.sources.base import Converted, Predict, Source

NEWEST_IR = re.compile(r"max supported IR version: (\d+)")
NEWEST_OPSET = re.compile(r"domain ai\.onnx is till opset (\d+)")
BY_BASE = ("keras", "torch", "lightgbm", "xgboost", "sklearn")  # LightGBM's and XGBoost's are scikit-learn's as well


def source_of(model: Any, folder: Path, training: Inputs, work: Path, task: str, judged: str | None = None) -> Source:
    """Converts a model, or loads and converts a file of one, into `work/source.onnx`; `training` gives names, dtypes
    and shapes of its inputs, `judged` the name of the output that counts, where it is not to be guessed.

    Raises BadInput where it is no model or does not convert, or can't be served. A framework is imported only where
    its model is.
    """
    try:
        converted = _converted(model, folder, training, task)
    except ModuleNotFoundError as error:
        raise BadInput(
            f"to convert the model takes the package {error.name}. Add the line {error.name} to "
            f"{shown(folder / 'requirements.in')} and run: slipway model lock {folder.name}"
        ) from error
    path = work / "source.onnx"
    if isinstance(converted.model, Path):
        onnx_file.copy(converted.model, path)
    else:
        onnx_file.save(converted.model, path)
    graph = onnx_file.graph_of(path)
    form = put_in_form(graph, task, judged)
    onnx.save(graph, path)
    specs = _loadable(path)
    classes = converted.classes or form.classes
    source = Source(converted.framework, path, specs, converted.predict, classes, tuple(form.notes), converted.columns)
    return source.keeping(form.kept)


def _loadable(path: Path) -> runtime.Specs:
    """Lowers the version that the file says, where ONNX Runtime knows none so new: most files use nothing of it. What
    it takes and answers then."""
    error = ""
    for lower in (_unchanged, _with_ir, _with_opset):
        lower(path, error)
        try:
            specs: runtime.Specs = guarded(runtime.interface, path)
            return specs
        except Failed as failed:
            error = str(failed)
    raise BadInput(f"ONNX Runtime does not load the model: {runtime.shortened(error)}{_remedy(error)}")


def _unchanged(path: Path, error: str) -> None:
    return


def _with_ir(path: Path, error: str) -> None:
    if newest := NEWEST_IR.search(error):
        graph = onnx_file.graph_of(path)
        graph.ir_version = int(newest[1])
        onnx.save(graph, path)


def _with_opset(path: Path, error: str) -> None:
    if newest := NEWEST_OPSET.search(error):
        try:
            guarded(_lowered, path, int(newest[1]))
        except Failed:
            return


def _lowered(path: Path, opset: int) -> None:
    """In a child process."""
    graph = onnx.version_converter.convert_version(onnx_file.graph_of(path), opset)
    onnx.save(graph, path)


def _remedy(error: str) -> str:
    if newest := NEWEST_OPSET.search(error):
        return f". Export it with opset {newest[1]} or lower"
    return ""


def _converted(model: Any, folder: Path, training: Inputs, task: str) -> Converted:
    if isinstance(model, tuple | list) and len(model) == 2:
        graph, source = model
        found = _converted(graph, folder, training, task)
        framework, predict = _answers(source, training, task)
        return dataclasses.replace(found, framework=framework, predict=predict)
    if isinstance(model, str | Path):
        return _from_file(folder / model, training)
    if isinstance(model, onnx.ModelProto):
        return Converted("onnx", model)
    match _framework(model):
        case "keras":
            from slipway.pipeline.sources import from_keras

            return from_keras.convert(model, training)
        case "torch":
            from slipway.pipeline.sources import from_torch

            return from_torch.convert(model, training)
        case "sklearn" | "lightgbm" | "xgboost":
            from slipway.pipeline.sources import from_sklearn

            return from_sklearn.convert(model, training, task)
    raise BadInput(
        f"train() of {folder.name} returned {type(model).__module__}.{type(model).__name__}; return a Keras, "
        "scikit-learn, LightGBM, XGBoost or PyTorch model, an onnx.ModelProto, or the path of an .onnx, .keras or .h5 "
        "file or a SavedModel"
    )


def _answers(model: Any, training: Inputs, task: str) -> tuple[str, Predict]:
    """The name of a framework, and what a model of it answers: that which stands beside a graph made from it."""
    match _framework(model):
        case "keras":
            from slipway.pipeline.sources import from_keras

            return "keras", from_keras.answers(model, training)
        case "torch":
            from slipway.pipeline.sources import from_torch

            return "pytorch", from_torch.answers(model, list(training))
        case "sklearn" | "lightgbm" | "xgboost":
            from slipway.pipeline.sources import from_sklearn

            return "scikit-learn", from_sklearn.answers(model, task)
    if not callable(model):
        raise BadInput(
            f"train() returned a graph and {type(model).__module__}.{type(model).__name__}; beside a graph stands its "
            "source, a Keras, scikit-learn or PyTorch model, or a function of the inputs by name"
        )
    return "its source", lambda inputs: _listed(model(inputs))


def _listed(answer: Any) -> list[Any]:
    import numpy as np

    return [np.asarray(each) for each in (answer if isinstance(answer, tuple | list) else [answer])]


def _framework(model: Any) -> str | None:
    origins = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    return next((each for each in BY_BASE if each in origins), None)


def _from_file(path: Path, training: Inputs) -> Converted:
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
