"""scikit-learn: whole pipelines, with their pre-processing, through skl2onnx."""

import warnings
from typing import Any

import numpy as np

from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput
from slipway.pipeline.sources.base import Source, first_line, rename

OPSET = {"": 17, "ai.onnx.ml": 3}


def convert(model: Any, training: Inputs) -> Source:
    """A classifier answers its probabilities, or its scores where it has none; a regressor or transformer its values.

    One input is handed to the model as its array; several as the columns of a table, each (n, 1). Raises BadInput
    naming the step that skl2onnx can't convert.
    """
    import skl2onnx
    from sklearn.base import is_classifier

    answer, options = model.predict if hasattr(model, "predict") else model.transform, None
    soft = hasattr(model, "predict_proba")
    if is_classifier(model):
        _require_numbered(model)
        answer = model.predict_proba if soft else model.decision_function
        last = model.steps[-1][1] if hasattr(model, "steps") else model
        options = {id(model): {"zipmap": False}} if soft else {id(last): {"raw_scores": True}}
    try:
        with warnings.catch_warnings(action="ignore"):
            proto = skl2onnx.to_onnx(
                model,
                initial_types=[(name, _type(array)) for name, array in training.items()],
                options=options,
                target_opset=OPSET,
            )
    except Exception as error:
        raise BadInput(f"skl2onnx does not convert {type(model).__name__}: {first_line(error)}") from error
    if is_classifier(model):
        scores = next(each for each in proto.graph.output if each.name != proto.graph.output[0].name)
        del proto.graph.output[0]
        rename(proto.graph, {scores.name: "probabilities" if soft else "scores"})

    def predictions(inputs: Inputs) -> list[np.ndarray]:
        values = np.asarray(answer(_as_trained(inputs)))
        return [values.reshape(len(values), -1).astype(np.float32)]

    return Source("scikit-learn", proto, predictions)


def _as_trained(inputs: Inputs) -> Any:
    if len(inputs) == 1:
        return next(iter(inputs.values()))
    import pandas

    return pandas.DataFrame({name: array.reshape(len(array)) for name, array in inputs.items()})


def _require_numbered(model: Any) -> None:
    if list(model.classes_) != list(range(len(model.classes_))):
        raise BadInput(
            f"{type(model).__name__} knows the classes {', '.join(map(str, model.classes_[:5]))}; "
            "train it on class numbers 0, 1, 2 ... and name them in labels()"
        )


def _type(array: np.ndarray) -> Any:
    from skl2onnx.common.data_types import BooleanTensorType, FloatTensorType, Int64TensorType, StringTensorType

    shape = [None, *array.shape[1:]]
    kinds = {"f": FloatTensorType, "i": Int64TensorType, "u": Int64TensorType, "b": BooleanTensorType}
    return kinds.get(array.dtype.kind, StringTensorType)(shape)
