"""ONNX Runtime as the service runs it: one thread, no spinning, all graph optimizations."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput
from slipway.service.artifact import TensorSpec

CHUNK = 256
_DTYPES = {"float": "float32", "double": "float64"}


def session(model: Path | bytes, *, optimized: bool = True, threads: int = 1) -> ort.InferenceSession:
    """A session on the CPU; not `optimized` it runs the graph as it stands."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimized else level.ORT_DISABLE_ALL
    options.log_severity_level = 3
    content = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def specs(running: ort.InferenceSession) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs; a symbolic size reads None. Raises BadInput for what a request can't carry."""
    inputs = tuple(_spec(each) for each in running.get_inputs())
    for spec in inputs:
        if not spec.shape or spec.shape[0] not in (None, 1):
            raise BadInput(
                f"the model's input {spec.name} has shape {list(spec.shape)}; its first axis must be the batch"
            )
    return inputs, tuple(_spec(each) for each in running.get_outputs())


def predict(running: ort.InferenceSession, inputs: Inputs, chunk: int = CHUNK) -> list[np.ndarray]:
    """All outputs over all samples, in batches of `chunk`, or of one where the model's batch axis is fixed."""
    if any(isinstance(each.shape[0], int) for each in running.get_inputs()):
        chunk = 1
    count = len(next(iter(inputs.values())))
    parts = [
        running.run(None, {name: array[at : at + chunk] for name, array in inputs.items()})
        for at in range(0, count, chunk)
    ]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _spec(argument: ort.NodeArg) -> TensorSpec:
    kind = argument.type.removeprefix("tensor(").removesuffix(")")
    if kind == argument.type:
        raise BadInput(f"the model's {argument.name} is {argument.type}; only tensors can be served")
    shape = tuple(size if isinstance(size, int) else None for size in argument.shape)
    return TensorSpec(name=argument.name, dtype=_DTYPES.get(kind, kind), shape=shape)
