"""A graph made ready for quantizing: whatever exporter it came from, it is slimmed, upgraded and named."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import onnx.version_converter
from onnx import numpy_helper

from slipway.pipeline import runtime
from slipway.pipeline.errors import BadInput

PER_CHANNEL_OPSET = 13
OPSET = 17


def optimize(proto: onnx.ModelProto, path: Path) -> str:
    """Writes the FP32 variant to `path`; steps that can't cope with the graph are left out and named in the answer.

    Raises BadInput where ONNX Runtime can't load it even so.
    """
    import onnxslim  # late: it takes most of a second, and most mistakes in a model folder show before
    from onnxruntime.quantization.shape_inference import quant_pre_process

    left_out = []
    path = path.absolute()
    # Symbolic shape inference knows the standard operators only.
    symbolic = any(node.domain not in ("", "ai.onnx") for node in proto.graph.node)
    onnx.save(proto, path)
    steps: dict[str, Callable[[Path, Path], object]] = {
        "upgrading the opset": _upgraded,
        "onnxslim": lambda source, target: onnx.save(onnxslim.slim(onnx.load(source)), target),
        "pre-processing": lambda source, target: quant_pre_process(source, target, skip_symbolic_shape=symbolic),
        "naming nodes": _named,
    }
    for name, step in steps.items():
        stepped = path.with_suffix(".stepped")
        try:
            with contextlib.chdir(path.parent):  # symbolic shape inference leaves files where it fails
                step(path, stepped)
            runtime.session(stepped)
            stepped.replace(path)
        except Exception as error:
            left_out.append(f"{name} left out: {reason(error, stepped)}")
    try:
        runtime.session(path)
    except Exception as error:
        raise BadInput(f"ONNX Runtime does not load the converted model: {reason(error, path)}") from error
    return "; ".join(left_out)


def check_mode(proto: onnx.ModelProto, where: str) -> None:
    """Raises BadInput for layers in training mode: they answer by the batch that a sample happens to be in."""
    constants = {each.name: each for each in proto.graph.initializer}
    for node in proto.graph.node:
        batch_norm = node.op_type == "BatchNormalization" and any(
            each.name == "training_mode" and each.i for each in node.attribute
        )
        mode = constants.get(node.input[2]) if node.op_type == "Dropout" and len(node.input) > 2 else None
        if batch_norm or (mode is not None and bool(numpy_helper.to_array(mode).any())):
            raise BadInput(
                f"{where}: {node.op_type} {node.name or ''} is in training mode, so an answer would depend on the rest "
                "of its batch: export the model for inference (PyTorch: model.eval(); Keras: training=False)"
            )


def reason(error: BaseException, file: Path) -> str:
    """The error on one line, without ONNX Runtime's numbers and this machine's paths."""
    text = " ".join(str(error).replace(str(file), file.name).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    return f"{type(error).__name__}: {text[:200]}"


def _upgraded(source: Path, target: Path) -> None:
    """Quantizing per channel takes opset 13; newer files stay as they are."""
    model = onnx.load(source)
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), OPSET)
    onnx.save(model if opset >= PER_CHANNEL_OPSET else onnx.version_converter.convert_version(model, OPSET), target)


def _named(source: Path, target: Path) -> None:
    """Quantizers leave nodes out by name, so each needs one of its own."""
    model = onnx.load(source)
    taken: set[str] = set()
    for at, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{at}"
        taken.add(node.name)
    onnx.save(model, target)
