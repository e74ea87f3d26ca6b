"""TensorFlow's SavedModel: its serving signature, through tf2onnx."""

from pathlib import Path
from typing import Any

import numpy as np

from service.pipeline import runtime
from service.pipeline.data import Inputs
from service.pipeline.errors import BadInput, shown
from service.pipeline.sources.base import Source, first_line, rename, require_known

OPSET = 17
SIGNATURE = "serving_default"


def load(path: Path) -> Source:
    """Inputs and outputs keep the names of the signature. Raises BadInput where there is none."""
    import tensorflow as tf
    import tf2onnx

    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        raise BadInput(f"{shown(path)} is not a SavedModel: {first_line(error)}") from error
    if SIGNATURE not in loaded.signatures:
        raise BadInput(f"{shown(path)} has no signature {SIGNATURE}; it has {', '.join(loaded.signatures) or 'none'}")
    serve = loaded.signatures[SIGNATURE]
    specs = list(serve.structured_input_signature[1].values())
    outputs = sorted(serve.structured_outputs)

    @tf.function(input_signature=specs)
    def ordered(*given: Any) -> list[Any]:
        answer = serve(**{spec.name: each for spec, each in zip(specs, given, strict=True)})
        return [tf.identity(answer[name], name=name) for name in outputs]

    try:
        proto, _ = tf2onnx.convert.from_function(ordered, input_signature=specs, opset=OPSET)
    except Exception as error:
        raise BadInput(f"tf2onnx does not convert {shown(path)}: {first_line(error)}") from error
    require_known(proto, [], "serve a signature without it")

    def predictions(inputs: Inputs) -> list[np.ndarray]:
        count = len(next(iter(inputs.values())))
        parts = []
        for at in range(0, count, runtime.CHUNK):
            answer = serve(**{name: tf.constant(array[at : at + runtime.CHUNK]) for name, array in inputs.items()})
            parts.append([answer[name].numpy() for name in outputs])
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    rename(proto.graph, {given.name: spec.name for given, spec in zip(proto.graph.input, specs, strict=True)})
    rename(proto.graph, {given.name: name for given, name in zip(proto.graph.output, outputs, strict=True)})
    return Source("tensorflow", proto, predictions)
