"""A graph made ready for quantizing: whatever exporter it came from, it is slimmed, upgraded and named."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter

from slipway.pipeline import onnx_file, runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.differences import apart
from slipway.pipeline.errors import BadInput
from slipway.pipeline.guard import Failed, guarded

PER_CHANNEL_OPSET = 13
OPSET = 17


@dataclass(frozen=True)
class Reference:
    """What each step has to leave as it is: the inputs and outputs of the source graph, and its answers to a few
    samples."""

    edges: runtime.Edges
    inputs: Inputs
    outputs: list[np.ndarray]


def reference(path: Path, inputs: Inputs) -> Reference:
    """In a child process: that of a graph as it stands."""
    running = runtime.session(path, optimized=False)
    return Reference(runtime.edges(running), inputs, runtime.predict(running, inputs))


def optimize(source: Path, path: Path, like: Reference, lean: str = "") -> str:
    """Writes the FP32 variant to `path`, in the source's folder. Steps that can't cope with the graph, or change what
    it answers, are left out and named in the answer; and all but the naming where the model is built `lean`, for that
    reason.

    Raises BadInput where ONNX Runtime does not answer alike even so.
    """
    path = path.absolute()
    onnx.save(onnx_file.graph_of(source), path)
    left_out, checked = [f"not slimmed: {lean}"] if lean else [], False
    for name, step in (NAMING if lean else STEPS).items():
        stepped = path.with_suffix(".stepped")
        try:
            guarded(_stepped, step, path, stepped, like)
            stepped.replace(path)
            checked = True
        except Failed as failed:
            left_out.append(f"{name} left out: {reason(failed, stepped)}")
    try:
        if not checked:
            guarded(check, path, like)
    except Failed as failed:
        why = reason(failed, path).removeprefix("ValueError: it ")
        raise BadInput(f"ONNX Runtime optimizes the model before it runs it, which {why}") from failed
    return "; ".join(left_out)


def check(path: Path, like: Reference) -> None:
    """In a child process. Raises ValueError where a file has other inputs or outputs than the source, or answers
    otherwise, as ONNX Runtime runs it when it serves."""
    for name, theirs, ours in zip(like.edges[1], like.outputs, answers(path, like), strict=True):
        if difference := apart(theirs, ours):
            raise ValueError(f"it changes the output {name} by {difference}")


def answers(path: Path, like: Reference) -> list[np.ndarray]:
    """In a child process: a file's answers to the samples. Raises ValueError where it has other inputs or outputs."""
    running = runtime.session(path)
    for what, wanted, found in zip(("input", "output"), like.edges, runtime.edges(running), strict=True):
        for name in wanted:
            if name not in found:
                raise ValueError(f"it drops the {what} {name}")
            if wanted[name] != found[name]:
                raise ValueError(f"it changes the {what} {name} from {wanted[name]} to {found[name]}")
        if len(wanted) != len(found) or (what == "output" and list(wanted) != list(found)):
            raise ValueError(f"it changes the {what}s to {', '.join(found)}")
    together = runtime.predict(running, like.inputs)
    alone = runtime.predict(running, {name: array[:1] for name, array in like.inputs.items()})
    for name, one, many in zip(like.edges[1], alone, together, strict=True):
        if one.dtype == many.dtype and one.shape != many[:1].shape:  # else samples differ in shape
            raise ValueError(f"it answers one sample alone with the shape {list(one.shape)} of {name}")
    return together


def reason(error: BaseException, file: Path) -> str:
    """The error on one line, without ONNX Runtime's numbers and this machine's paths."""
    text = " ".join(str(error).replace(str(file), file.name).split())
    return runtime.shortened(text)[:200]


def _stepped(step: Callable[[Path, Path], object], path: Path, stepped: Path, like: Reference) -> None:
    with contextlib.chdir(path.parent):  # symbolic shape inference leaves files where it fails
        step(path, stepped)
    check(stepped, like)


def _upgraded(source: Path, target: Path) -> None:
    """Quantizing per channel takes opset 13; newer files stay as they are."""
    model = onnx.load(source)
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), OPSET)
    onnx.save(model if opset >= PER_CHANNEL_OPSET else onnx.version_converter.convert_version(model, OPSET), target)


def _slimmed(source: Path, target: Path) -> None:
    import onnxslim  # late: it takes most of a second, and most mistakes in a model folder show before

    onnx.save(onnxslim.slim(onnx.load(source)), target)


def _preprocessed(source: Path, target: Path) -> None:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # Symbolic shape inference knows the standard operators only.
    symbolic = any(node.domain not in ("", "ai.onnx") for node in onnx.load(source).graph.node)
    quant_pre_process(source, target, skip_symbolic_shape=symbolic)


def _named(source: Path, target: Path) -> None:
    """Quantizers leave nodes out by name, so each needs one of its own."""
    model = onnx_file.graph_of(source)
    taken: set[str] = set()
    for at, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{at}"
        taken.add(node.name)
    onnx.save(model, target)


NAMING = {"naming nodes": _named}
STEPS: dict[str, Callable[[Path, Path], object]] = {
    "upgrading the opset": _upgraded,
    "onnxslim": _slimmed,
    "pre-processing": _preprocessed,
    **NAMING,
}
