"""scikit-learn: whole pipelines, with their pre-processing, through skl2onnx; LightGBM and XGBoost in them or alone."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx

from slipway.pipeline.classes import Class
from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput
from slipway.pipeline.sources.base import Converted, Predict, first_line, rename

OPSET = {"": 17, "ai.onnx.ml": 3}
PATTERN = r"(?u)\b\w\w+\b"  # scikit-learn's own for a word
WORD = r"[\p{L}\p{N}_]{2,}"  # the same for ONNX Runtime, whose \w knows ASCII alone
BOOSTED = ("lightgbm", "xgboost")


def convert(model: Any, training: Inputs, task: str) -> Converted:
    """A classifier answers its probabilities, or its scores where it has none, in the order of its classes; a detector
    of outliers the scores of -1, an outlier, and 1, or how far inside where it is not judged as a classifier; a
    regressor or transformer its values.

    One input is handed to the model as its array; several as the columns of a table, each (n, 1). Raises BadInput
    naming the step that skl2onnx can't convert, and ModuleNotFoundError where it or another converter is missing.
    """
    if not hasattr(model, "get_params"):
        whole = f"{type(model).__module__}.{type(model).__name__}"
        raise BadInput(f"train() returned {whole}; return the estimator with fit() and predict(), as LGBMClassifier is")
    import skl2onnx

    classifier, outliers = _is(model, "classifier"), _is(model, "outlier_detector")
    if classifier and isinstance(model.classes_, list):
        raise BadInput(f"{type(model).__name__} tells several classes of a sample at once; train one for each")
    options: dict[int, dict[str, Any]] = {id(each): {"tokenexp": WORD} for each in _parts(model) if _splits_words(each)}
    if classifier:
        soft = _soft(model)
        options[id(model) if soft else id(_last(model))] = {"zipmap": False} if soft else {"raw_scores": True}
    for kind in {_origin(each) for each in _parts(model)}.intersection(BOOSTED):
        _register(kind)
    try:
        with warnings.catch_warnings(action="ignore"), _numbers_for_booleans():
            proto = skl2onnx.to_onnx(
                model,
                initial_types=[(name, _type(array, len(training))) for name, array in training.items()],
                options=options or None,
                target_opset=OPSET,
            )
    except Exception as error:
        raise BadInput(f"skl2onnx does not convert {type(model).__name__}: {first_line(error)}") from error
    if classifier or outliers:  # the label comes first, and is left to the scores
        scores = proto.graph.output[1]
        del proto.graph.output[0]
        rename(proto.graph, {scores.name: "probabilities" if classifier and _soft(model) else "scores"})
    classes = _known_classes(model) if classifier else None
    if outliers and task == "classification":
        _both_sides(proto.graph)
        classes = (-1, 1)
    return Converted("scikit-learn", proto, answers(model, task), classes, _columns(model, training))


def _columns(model: Any, training: Inputs) -> tuple[str, ...] | None:
    """As it was trained on a table, and takes one array now."""
    names = getattr(model, "feature_names_in_", None)
    (array, *more) = training.values()
    return None if names is None or more or array.ndim != 2 else tuple(map(str, names))


def answers(model: Any, task: str) -> Predict:
    """The estimator's own answers, as the graph gives them."""
    sided = _is(model, "outlier_detector") and task == "classification"
    if _is(model, "classifier"):
        answer = model.predict_proba if _soft(model) else model.decision_function
        sided = not _soft(model) and len(model.classes_) == 2
    elif _is(model, "outlier_detector"):
        answer = model.decision_function
    else:
        answer = model.predict if hasattr(model, "predict") else model.transform

    def predictions(inputs: Inputs) -> list[np.ndarray]:
        with warnings.catch_warnings(action="ignore"):
            values = np.asarray(answer(_as_trained(model, inputs)))
        values = values.reshape(len(values), -1).astype(np.float32)
        return [np.concatenate([-values, values], axis=1) if sided else values]

    return predictions


def _as_trained(model: Any, inputs: Inputs) -> Any:
    if len(inputs) == 1:
        (array,) = inputs.values()
        first = model.steps[0][1] if hasattr(model, "steps") else model
        return array.reshape(-1) if array.dtype.kind in "OU" and hasattr(first, "build_analyzer") else array
    import pandas

    return pandas.DataFrame({name: array.reshape(len(array)) for name, array in inputs.items()})


def _splits_words(model: Any) -> bool:
    return getattr(model, "token_pattern", None) == PATTERN and getattr(model, "analyzer", None) == "word"


def _both_sides(graph: onnx.GraphProto) -> None:
    """One score (n, 1), below 0 for the first of two classes, as the scores of both."""
    (output,) = graph.output
    name, inner = output.name, f"{output.name}/one"
    rename(graph, {name: inner})
    graph.node.extend(
        [
            onnx.helper.make_node("Neg", [inner], [f"{inner}/other"], name=f"{inner}/negated"),
            onnx.helper.make_node("Concat", [f"{inner}/other", inner], [name], axis=1, name=f"{inner}/joined"),
        ]
    )
    graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 2]))


@contextlib.contextmanager
def _numbers_for_booleans() -> Iterator[None]:
    """skl2onnx writes True into lists of whole numbers, for trees that know missing values; protobuf takes none."""
    from skl2onnx.common import _container

    make = _container.make_node

    def made(*positional: Any, **named: Any) -> onnx.NodeProto:
        for name, value in named.items():
            if isinstance(value, list):
                named[name] = [int(each) if isinstance(each, bool | np.bool_) else each for each in value]
        return make(*positional, **named)

    _container.make_node = made
    try:
        yield
    finally:
        _container.make_node = make


def _known_classes(model: Any) -> tuple[Class, ...]:
    return tuple(str(each) if isinstance(each, str) else int(each) for each in np.asarray(model.classes_).tolist())


def _is(model: Any, kind: str) -> bool:
    from sklearn import base

    return bool(getattr(base, f"is_{kind}")(model))


def _soft(model: Any) -> bool:
    return hasattr(model, "predict_proba")


def _last(model: Any) -> Any:
    return model.steps[-1][1] if hasattr(model, "steps") else model


def _parts(model: Any) -> Iterator[Any]:
    """An estimator and those that it is made of."""
    yield model
    for value in getattr(model, "get_params", dict)().values():
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield value


def _origin(model: Any) -> str:
    return type(model).__module__.partition(".")[0]


def _register(kind: str) -> None:
    """Makes a converter of onnxmltools known to skl2onnx."""
    import importlib

    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    library, short = importlib.import_module(kind), {"lightgbm": "LGBM", "xgboost": "XGB"}[kind]
    converters = importlib.import_module(f"onnxmltools.convert.{kind}.operator_converters")
    modules = {"lightgbm": ("LightGbm", "LightGbm"), "xgboost": ("XGBoost", "XGBoost")}[kind]
    convert = getattr(getattr(converters, modules[0]), f"convert_{kind}", None)
    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    update_registered_converter(
        getattr(library, f"{short}Classifier"),
        f"{short}Classifier",
        calculate_linear_classifier_output_shapes,
        convert,
        options=options,
    )
    update_registered_converter(
        getattr(library, f"{short}Regressor"), f"{short}Regressor", calculate_linear_regressor_output_shapes, convert
    )


def _type(array: np.ndarray, count: int) -> Any:
    from skl2onnx.common.data_types import BooleanTensorType, FloatTensorType, Int64TensorType, StringTensorType

    text = array.dtype.kind not in "fiub"
    shape = [None, 1] if array.ndim == 1 and (count > 1 or not text) else [None, *array.shape[1:]]
    kinds = {"f": FloatTensorType, "i": Int64TensorType, "u": Int64TensorType, "b": BooleanTensorType}
    return kinds.get(array.dtype.kind, StringTensorType)(shape)
