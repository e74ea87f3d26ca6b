"""Candidates for serving: the graph optimized in FP32, and INT8 made by ONNX Runtime's quantizers."""

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from service.pipeline import runtime
from service.pipeline.data import Inputs
from service.pipeline.errors import BadInput

REFERENCE = "fp32"
CALIBRATION_SAMPLES = 300
PER_CHANNEL_OPSET = 13
OPSET = 17


@dataclass(frozen=True)
class Variant:
    """One candidate: `path` of its ONNX file, or None and in `note` the reason why it could not be made."""

    name: str
    path: Path | None
    note: str = ""


def make_variants(proto: onnx.ModelProto, training: Inputs, folder: Path) -> list[Variant]:
    """FP32 first, then each INT8 candidate, as files in `folder`; static ones are calibrated on training data."""
    reference, note = _optimized(proto, folder / f"{REFERENCE}.onnx")
    makers: dict[str, Callable[[Path], None]] = {
        "int8-dynamic": lambda path: _dynamic(reference, path),
        "int8-static": lambda path: _static(reference, path, training, CalibrationMethod.MinMax),
        "int8-static-percentile": lambda path: _static(reference, path, training, CalibrationMethod.Percentile),
    }
    quantized = [_attempt(name, folder / f"{name}.onnx", make) for name, make in makers.items()]
    return [Variant(REFERENCE, reference, note), *quantized]


def _optimized(proto: onnx.ModelProto, path: Path) -> tuple[Path, str]:
    """The graph slimmed and pre-processed for quantizing; steps that can't cope with it are left out and named."""
    import onnxslim  # late: it takes most of a second, and most mistakes in a model folder show before

    left_out = []
    onnx.save(proto, path)
    steps: dict[str, Callable[[Path, Path], None]] = {
        "upgrading the opset": _upgraded,
        "onnxslim": lambda source, target: onnx.save(onnxslim.slim(onnx.load(source)), target),
        "pre-processing": lambda source, target: quant_pre_process(source, target),
    }
    for name, step in steps.items():
        stepped = path.with_suffix(".stepped")
        try:
            step(path, stepped)
            runtime.session(stepped)
            stepped.replace(path)
        except Exception as error:
            left_out.append(f"{name} left out: {_reason(error, stepped)}")
    try:
        runtime.session(path)
    except Exception as error:
        raise BadInput(f"ONNX Runtime does not load the converted model: {_reason(error, path)}") from error
    return path, "; ".join(left_out)


def _upgraded(source: Path, target: Path) -> None:
    """Quantizing per channel takes opset 13; newer files stay as they are."""
    model = onnx.load(source)
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), OPSET)
    onnx.save(model if opset >= PER_CHANNEL_OPSET else onnx.version_converter.convert_version(model, OPSET), target)


def _dynamic(source: Path, target: Path) -> None:
    # Only matrix products: ONNX Runtime's dynamic INT8 convolution is several times slower than its FP32 one.
    quantize_dynamic(
        source, target, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8, per_channel=True
    )


def _static(source: Path, target: Path, training: Inputs, method: CalibrationMethod) -> None:
    quantize_static(
        source,
        target,
        _Reader(training),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        calibrate_method=method,
    )


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Training samples one by one, spread evenly over the set."""

    def __init__(self, training: Inputs) -> None:
        self._samples = self._each(training)

    def get_next(self) -> Inputs | None:
        return next(self._samples, None)

    def _each(self, training: Inputs) -> Iterator[Inputs]:
        count = len(next(iter(training.values())))
        for at in np.unique(np.linspace(0, count - 1, CALIBRATION_SAMPLES).astype(int)):
            yield {name: array[at : at + 1] for name, array in training.items()}


def _attempt(name: str, path: Path, make: Callable[[Path], None]) -> Variant:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # calibration prints what it does
            make(path)
        if not any(tensor.data_type in _INT8 for tensor in onnx.load(path).graph.initializer if tensor.dims):
            return Variant(name, None, "nothing in it could be quantized")
        runtime.session(path)
    except Exception as error:
        return Variant(name, None, f"not made: {_reason(error, path)}")
    return Variant(name, path)


_INT8 = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)


def _reason(error: BaseException, file: Path) -> str:
    """The error on one line, without ONNX Runtime's numbers and this machine's paths."""
    text = " ".join(str(error).replace(str(file), file.name).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    return f"{type(error).__name__}: {text[:200]}"
