"""TensorFlow's SavedModel: its serving signature, through tf2onnx."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from slipway.pipeline import runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.sources.base import Converted, first_line, rename, require_known

OPSET = 17
SIGNATURE = "serving_default"


def load(path: Path) -> Converted:
    """Inputs and outputs keep the names of the signature. Raises BadInput where there is none."""
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        return _from_graph(path, error)
    if SIGNATURE not in loaded.signatures:
        raise _unsigned(path, loaded.signatures)
    serve = loaded.signatures[SIGNATURE]
    specs = list(serve.structured_input_signature[1].values())
    outputs = sorted(serve.structured_outputs)

    @tf.function(input_signature=specs)
    def ordered(*given: Any) -> list[Any]:
        answer = serve(**{spec.name: each for spec, each in zip(specs, given, strict=True)})
        return [tf.identity(answer[name], name=name) for name in outputs]

    def answers(inputs: Inputs) -> list[np.ndarray]:
        answer = serve(**{name: tf.constant(array) for name, array in inputs.items()})
        return [answer[name].numpy() for name in outputs]

    proto = _converted(path, "from_function", ordered, input_signature=specs)
    rename(proto.graph, {given.name: spec.name for given, spec in zip(proto.graph.input, specs, strict=True)})
    rename(proto.graph, {given.name: name for given, name in zip(proto.graph.output, outputs, strict=True)})
    return Converted("tensorflow", proto, _in_chunks(answers))


def _from_graph(path: Path, reason: Exception) -> Converted:
    """The graph without the Python objects beside it: older files hold optimizers that TensorFlow can't revive now."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it advises against its own first version
    v1, graph = tf.compat.v1, tf.Graph()
    session = v1.Session(graph=graph)
    try:
        with graph.as_default():
            signatures = v1.saved_model.load(session, [tf.saved_model.SERVING], str(path)).signature_def
    except Exception:
        raise BadInput(f"{shown(path)} is not a SavedModel: {first_line(reason)}") from reason
    if SIGNATURE not in signatures:
        raise _unsigned(path, signatures)
    inputs, outputs = (
        {name: tensors[name].name for name in sorted(tensors)}
        for tensors in (signatures[SIGNATURE].inputs, signatures[SIGNATURE].outputs)
    )
    with graph.as_default():
        names = [tensor.partition(":")[0] for tensor in outputs.values()]
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), names)
    given, answered = list(inputs.values()), list(outputs.values())
    proto = _converted(path, "from_graph_def", frozen, input_names=given, output_names=answered)
    rename(proto.graph, {tensor: name for name, tensor in (inputs | outputs).items()})

    def answers(given: Inputs) -> list[np.ndarray]:
        found: list[np.ndarray] = session.run(answered, {inputs[name]: array for name, array in given.items()})
        return found

    return Converted("tensorflow", proto, _in_chunks(answers))


def _converted(path: Path, how: str, model: Any, **named: Any) -> onnx.ModelProto:
    import tf2onnx

    try:
        proto, _ = getattr(tf2onnx.convert, how)(model, opset=OPSET, **named)
    except Exception as error:
        raise BadInput(f"tf2onnx does not convert {shown(path)}: {first_line(error)}") from error
    require_known(proto, [], "serve a signature without it")
    return proto


def _in_chunks(answers: Any) -> Any:
    def predictions(inputs: Inputs) -> list[np.ndarray]:
        starts = range(0, len(next(iter(inputs.values()))), runtime.CHUNK)
        parts = [answers({name: array[at : at + runtime.CHUNK] for name, array in inputs.items()}) for at in starts]
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    return predictions


def _unsigned(path: Path, signatures: Any) -> BadInput:
    return BadInput(f"{shown(path)} has no signature {SIGNATURE}; it has {', '.join(signatures) or 'none'}")
