"""ONNX Runtime as the service runs it: one thread, no spinning, all graph optimizations."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput
from slipway.service.artifact import TensorSpec

Specs = tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]
Edges = tuple[dict[str, str], dict[str, str]]
CHUNK = 256
_DTYPES = {"float": "float32", "double": "float64"}
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SERVED = ("float16", "float32", "float64", *INTEGERS, "bool", "string")


def session(
    model: Path | bytes, *, optimized: bool = True, threads: int = 1, quiet: bool = False
) -> ort.InferenceSession:
    """A session on the CPU; not `optimized` it runs the graph as it stands, `quiet` it logs nothing."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimized else level.ORT_DISABLE_ALL
    options.log_severity_level = 4 if quiet else 3
    content = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def specs(running: ort.InferenceSession) -> Specs:
    """Inputs and outputs; a symbolic size reads None. Raises BadInput for what a request or an answer can't carry."""
    inputs = tuple(_spec(each, "input") for each in running.get_inputs())
    if not inputs:
        raise BadInput("the model has no inputs: it answers every request alike")
    for spec in inputs:
        if not spec.shape:
            raise BadInput(f"the model's input {spec.name} declares no axes; its first must be the batch")
        if spec.shape[0] not in (None, 1):
            raise BadInput(
                f"the model's input {spec.name} has shape {list(spec.shape)}; its first axis must be the batch, and "
                f"free or 1. Is a batch of {spec.shape[0]} baked in, export it again without"
            )
        if 0 in spec.shape:
            raise BadInput(f"the model's input {spec.name} has shape {list(spec.shape)}, so it holds no values")
    return inputs, tuple(_spec(each, "output") for each in running.get_outputs())


def edges(running: ort.InferenceSession) -> Edges:
    """Inputs and outputs by name: their type, rank, and which sizes are fixed, of outputs only the type and rank."""
    inputs = {
        each.name: f"{each.type} {[size if isinstance(size, int) else 'any' for size in each.shape]}"
        for each in running.get_inputs()
    }
    return inputs, {each.name: f"{each.type} of rank {len(each.shape)}" for each in running.get_outputs()}


def interface(path: Path) -> Specs:
    """In a child process: the specs of a file, once it is loaded as the service loads it."""
    return specs(session(path))


def is_fixed(running: ort.InferenceSession) -> bool:
    """Whether the model takes one sample at a time only."""
    return any(isinstance(each.shape[0], int) for each in running.get_inputs())


def predict(running: ort.InferenceSession, inputs: Inputs, chunk: int = CHUNK) -> list[np.ndarray]:
    """All outputs over all samples, in batches of `chunk`, or of one where the model's batch axis is fixed. One whose
    samples differ in shape is an array of arrays."""
    chunk = 1 if is_fixed(running) else chunk
    count = len(next(iter(inputs.values())))
    parts = [
        running.run(None, {name: array[at : at + chunk] for name, array in inputs.items()})
        for at in range(0, count, chunk)
    ]
    return [joined(each) for each in zip(*parts, strict=True)]


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """One output's parts, batch first; where their samples differ in shape, an array of arrays."""
    if len({each.shape[1:] for each in parts}) == 1 and parts[0].ndim:
        return np.concatenate(parts)
    if not parts[0].ndim:
        raise ValueError("it answers without an axis for the samples")
    samples = [sample for part in parts for sample in part]
    ragged = np.empty(len(samples), dtype=object)
    for at, sample in enumerate(samples):  # all at once NumPy would try to stack them
        ragged[at] = sample
    return ragged


def shortened(error: str) -> str:
    """An error without ONNX Runtime's numbers and the places in its source."""
    text = re.sub(r"^(\w+: )?\[ONNXRuntimeError\] : \d+ : \w+ : ", "", error)
    text = re.sub(r"Load model from \S+ failed: ?", "", text)
    text = re.sub(
        r"Non-zero status code returned while running (\w+) node\. Name:'([^']*)' Status Message: ", r"\1 \2: ", text
    )
    return re.sub(r"/onnxruntime_src/\S+ .*?\)(::<lambda\(\)>)? (?=\w)", "", text).replace(" :", ":")[:300].strip()


def _spec(argument: ort.NodeArg, what: str) -> TensorSpec:
    tensor = re.fullmatch(r"tensor\((\w+)\)", argument.type)
    if tensor is None:
        raise BadInput(f"the model's {what} {argument.name} is {argument.type}; only tensors can be served")
    kind = tensor[1]
    dtype = _DTYPES.get(kind, kind)
    if dtype not in SERVED:
        raise BadInput(f"the model's {what} {argument.name} holds {kind}; what can be served is {', '.join(SERVED)}")
    shape = tuple(size if isinstance(size, int) else None for size in argument.shape)
    return TensorSpec(name=argument.name, dtype=dtype, shape=shape)
