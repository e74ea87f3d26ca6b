"""Candidates for serving, each as an ONNX file: FP32, INT8, pruned, and FP16 for GPUs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from slipway.pipeline import mixed_precision as mixed
from slipway.pipeline import runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.graph import optimize, reason
from slipway.pipeline.mixed_precision import Trial
from slipway.pipeline.quantize import HEAVY, Static, dynamic

REFERENCE = "fp32"
WHOLE = ("int8-dynamic", "int8-static", "int8-static-percentile")
PRUNED_SHARE = 0.5
_INT8 = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)


@dataclass(frozen=True)
class Variant:
    """One candidate: `path` of its ONNX file, or None and in `note` the reason why it could not be made.

    `elsewhere`: its speed shows on the target's hardware only.
    """

    name: str
    path: Path | None
    note: str = ""
    elsewhere: bool = False


def make_variants(
    proto: onnx.ModelProto, training: Inputs, folder: Path, target: str, trial: Callable[[Path], Trial]
) -> list[Variant]:
    """FP32 first, then what the target can gain from, as files in `folder`.

    Static INT8 is calibrated, and mixed precision searched, on training data; `trial` makes the search's measure from
    the FP32 file. Mixed precision and a further calibration are tried where whole-model INT8 is not good enough.
    """
    reference = folder / f"{REFERENCE}.onnx"
    note = optimize(proto, reference)
    first = Variant(REFERENCE, reference, note, elsewhere=target != "cpu")
    pruned = _attempt("pruned", folder, lambda path: _prune(reference, path), _changed)
    if target == "nvidia":  # ONNX Runtime's INT8 is slower than FP32 on a GPU
        half = _attempt("fp16", folder, lambda path: _half(reference, path), lambda path: True)
        return [first, *(Variant(each.name, each.path, each.note, elsewhere=True) for each in (half, pruned))]
    static = Static(reference, training, folder)
    if not static.heavy_nodes():
        why = f"nothing to gain: no {', '.join(HEAVY)} with constant weights"
        return [first, *(Variant(name, None, why) for name in WHOLE), pruned]
    made = [
        _attempt(WHOLE[0], folder, lambda path: dynamic(reference, path)),
        _attempt(WHOLE[1], folder, lambda path: static.write(path, "minmax")),
        _attempt(WHOLE[2], folder, lambda path: static.write(path, "percentile")),
    ]
    return [first, *made, *_mixes(static, made[1:], trial(reference), folder), pruned]


def _mixes(static: Static, whole: list[Variant], trial: Trial, folder: Path) -> list[Variant]:
    """Entropy calibration where neither other method keeps the budget, and the mix of the best of them."""
    drops = {each.name: trial.drop(each.path) for each in whole if each.path is not None}
    if not drops:
        return []
    found = []
    if min(drops.values()) > trial.budget:
        entropy = _attempt("int8-static-entropy", folder, lambda path: static.write(path, "entropy"))
        found.append(entropy)
        if entropy.path is not None:
            drops[entropy.name] = trial.drop(entropy.path)
    best = min(drops, key=lambda name: drops[name]).removeprefix("int8-static").removeprefix("-") or "minmax"
    note = ""

    def make(path: Path) -> None:
        nonlocal note
        note = mixed.search(static, best, trial, path)

    mix = _attempt("int8-mixed", folder, make, lambda path: bool(note))
    if note:
        found.append(Variant(mix.name, mix.path, note if mix.path is not None else mix.note))
    return found


def _attempt(
    name: str, folder: Path, make: Callable[[Path], None], worth: Callable[[Path], bool] | None = None
) -> Variant:
    path = folder / f"{name}.onnx"
    try:
        make(path)
        if not (worth or _quantized)(path):
            return Variant(name, None, "nothing in it could be changed")
        runtime.session(path)
    except Exception as error:
        return Variant(name, None, f"not made: {reason(error, path)}")
    return Variant(name, path)


def _quantized(path: Path) -> bool:
    return any(tensor.data_type in _INT8 for tensor in onnx.load(path).graph.initializer if tensor.dims)


def _changed(path: Path) -> bool:
    return path.exists()


def _prune(source: Path, target: Path) -> None:
    """Zeroes the smaller half of each weight matrix by magnitude: S. Han et al., NIPS 28 (2015), without retraining."""
    model = onnx.load(source)
    heavy = {name for node in model.graph.node if node.op_type in HEAVY for name in node.input[1:2]}
    changed = False
    for tensor in model.graph.initializer:
        if tensor.name in heavy and tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1:
            weights = numpy_helper.to_array(tensor).copy()
            weights[np.abs(weights) < np.quantile(np.abs(weights), PRUNED_SHARE)] = 0
            tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
            changed = True
    if changed:
        onnx.save(model, target)


def _half(source: Path, target: Path) -> None:
    """FP16 inside; inputs and outputs stay FP32, so that the signature does not depend on the variant."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)
