"""INT8 of one FP32 graph by ONNX Runtime's quantizers: dynamic, or static with ranges from training data."""

import contextlib
import io
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from slipway.pipeline.data import Inputs, read_inputs, write_inputs
from slipway.pipeline.guard import guarded

HEAVY = ("Conv", "MatMul", "Gemm")
CALIBRATION_SAMPLES = 300
CALIBRATION_BYTES = 2**30
ACTIVATIONS_PER_INPUT = 64  # a guess on the safe side: calibrating keeps every activation of every sample
SAMPLES = "calibration.npz"
METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}


def dynamic(source: Path, target: Path, operators: Collection[str] = ("MatMul", "Gemm", "Gather")) -> None:
    """INT8 weights per channel; activations are measured while it runs.

    Only matrix products, and the tables that words are looked up in, by default: ONNX Runtime's dynamic INT8
    convolution is several times slower than its FP32 one.
    """
    quantize_dynamic(
        source, target, op_types_to_quantize=list(operators), weight_type=QuantType.QInt8, per_channel=True
    )


class Static:
    """Static INT8 (QDQ, per channel) of one graph: calibrated once for each method, then written as often as wanted.

    Calibrating and writing are a child's work: they bring some graphs' process down.
    """

    def __init__(self, source: Path, training: Inputs, folder: Path) -> None:
        self.source, self.folder = source, folder
        write_inputs(folder / SAMPLES, calibration(training))

    def write(
        self, target: Path, method: str, exclude: Collection[str] = (), operators: Collection[str] | None = None
    ) -> None:
        """Nodes named in `exclude` stay FP32; `operators` are the types that may become INT8, all by default. Raises
        guard.Failed."""
        guarded(write_static, self.source, self.folder, method, tuple(exclude), operators, target)

    @property
    def write_whole(self) -> Callable[..., None]:
        """The same for a child that runs already: it takes the method and the target."""
        return partial(_write_whole, self.source, self.folder)

    def heavy_nodes(self) -> list[tuple[str, str]]:
        """Name and operator of each node whose work INT8 can spare."""
        graph = onnx.load(self.source).graph
        constants = {each.name for each in graph.initializer}
        return [
            (node.name, node.op_type)
            for node in graph.node
            if node.op_type in HEAVY and any(name in constants for name in node.input)
        ]


def write_static(
    source: Path, folder: Path, method: str, exclude: Collection[str], operators: Collection[str] | None, target: Path
) -> None:
    """In a child process."""
    cache = folder / f"{method}.ranges.json"
    with contextlib.redirect_stdout(io.StringIO()):  # calibration prints what it does
        if not cache.exists():  # for all operators, so that the ranges do for any choice of them
            _quantize(source, folder / f"{method}.whole.onnx", method, cache, (), None)
        _quantize(source, target, method, cache, exclude, operators)


def calibration(training: Inputs) -> Inputs:
    """Training samples spread evenly over the set; as many as their activations leave memory for."""
    count = len(next(iter(training.values())))
    bytes_each = sum(array[:1].nbytes for array in training.values()) * ACTIVATIONS_PER_INPUT
    wanted = min(CALIBRATION_SAMPLES, max(16, CALIBRATION_BYTES // max(bytes_each, 1)))
    at = np.unique(np.linspace(0, count - 1, wanted).astype(int))
    return {name: array[at] for name, array in training.items()}


def _write_whole(source: Path, folder: Path, method: str, target: Path) -> None:
    write_static(source, folder, method, (), None, target)


def _quantize(
    source: Path, target: Path, method: str, cache: Path, exclude: Collection[str], operators: Collection[str] | None
) -> None:
    quantize_static(
        source,
        target,
        _Reader(read_inputs(cache.with_name(SAMPLES))),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        calibrate_method=METHODS[method],
        calibration_cache_path=cache,
        nodes_to_exclude=list(exclude),
        op_types_to_quantize=None if operators is None else list(operators),
    )


class _Reader(CalibrationDataReader):
    """Samples one by one."""

    def __init__(self, samples: Inputs) -> None:
        self._samples = self._each(samples)

    def get_next(self) -> Inputs | None:
        return next(self._samples, None)

    def _each(self, samples: Inputs) -> Iterator[Inputs]:
        for at in range(len(next(iter(samples.values())))):
            yield {name: array[at : at + 1] for name, array in samples.items()}
