"""Candidates for serving, each as an ONNX file: FP32, INT8, pruned, and FP16 for GPUs."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from slipway.pipeline import mixed_precision as mixed
from slipway.pipeline import onnx_file, room
from slipway.pipeline.data import Inputs
from slipway.pipeline.graph import Reference, answers, optimize, reason
from slipway.pipeline.guard import Failed, guarded
from slipway.pipeline.mixed_precision import Trial
from slipway.pipeline.quantize import HEAVY, Static, dynamic

REFERENCE = "fp32"
WHOLE = ("int8-dynamic", "int8-static", "int8-static-percentile")
PRUNED_SHARE = 0.5
_INT8 = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
Worth = Callable[[Path], bool]


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
    source: Path, like: Reference, training: Inputs, target: str, trial: Callable[[Path], Trial], lean: str = ""
) -> list[Variant]:
    """FP32 first, then what the target can gain from, as files in the folder of `source`.

    Static INT8 is calibrated, and mixed precision searched, on training data; `trial` makes the search's measure from
    the FP32 file. Mixed precision and a further calibration are tried where whole-model INT8 is not good enough.
    `lean`: why only what takes little memory is made, if so.
    """
    folder = source.parent
    reference = folder / f"{REFERENCE}.onnx"
    note = optimize(source, reference, like, lean)
    first = Variant(REFERENCE, reference, note, elsewhere=target != "cpu")

    def attempt(name: str, make: Callable[..., object], *arguments: Any, worth: Worth = _quantized) -> Variant:
        return _attempt(folder / f"{name}.onnx", like, worth, make, *arguments)

    if target == "nvidia":  # ONNX Runtime's INT8 is slower than FP32 on a GPU
        half = attempt("fp16", _half, reference, worth=_whatever)
        pruned = Variant("pruned", None, lean) if lean else attempt("pruned", _prune, reference, worth=_changed)
        return [first, *(Variant(each.name, each.path, each.note, elsewhere=True) for each in (half, pruned))]
    if lean:
        return [first, *(Variant(name, None, f"not made: {lean}") for name in (*WHOLE, "pruned"))]
    pruned = attempt("pruned", _prune, reference, worth=_changed)
    static = Static(reference, training, folder)
    if not static.heavy_nodes():
        why = f"nothing to gain: no {', '.join(HEAVY)} with constant weights"
        return [first, *(Variant(name, None, why) for name in WHOLE), pruned]
    made = [
        attempt(WHOLE[0], dynamic, reference),
        attempt(WHOLE[1], static.write_whole, "minmax"),
        attempt(WHOLE[2], static.write_whole, "percentile"),
    ]
    mixes = _mixes(static, made[1:], trial(reference), attempt)
    return [first, *made, *mixes, pruned]


def _mixes(static: Static, whole: list[Variant], trial: Trial, attempt: Callable[..., Variant]) -> list[Variant]:
    """Entropy calibration where neither other method keeps the budget, and the mix of the best of them."""
    drops = {each.name: trial.drop(each.path) for each in whole if each.path is not None}
    if not drops:
        return []
    found = []
    if min(drops.values()) > trial.budget:
        entropy = attempt("int8-static-entropy", static.write_whole, "entropy")
        found.append(entropy)
        if entropy.path is not None:
            drops[entropy.name] = trial.drop(entropy.path)
    best = min(drops, key=lambda name: drops[name]).removeprefix("int8-static").removeprefix("-") or "minmax"
    searched = static.source.with_name("int8-mixed.searched.onnx")
    try:
        note = mixed.search(static, best, trial, searched)
    except Exception as error:
        return [*found, Variant("int8-mixed", None, f"not made: {reason(error, searched)}")]
    if note:
        mix = attempt("int8-mixed", shutil.copyfile, searched, worth=_whatever)
        found.append(Variant(mix.name, mix.path, note if mix.path is not None else mix.note))
    return found


def _attempt(path: Path, like: Reference, worth: Worth, make: Callable[..., object], *arguments: Any) -> Variant:
    name = path.stem
    try:
        made = guarded(_made, path, like, worth, make, arguments)
    except Failed as failed:
        return Variant(name, None, f"not made: {reason(failed, path)}")
    return Variant(name, path) if made else Variant(name, None, "nothing in it could be changed")


def _made(path: Path, like: Reference, worth: Worth, make: Callable[..., object], arguments: tuple[Any, ...]) -> bool:
    """In a child process: whether a file was made that changes anything, and answers with numbers."""
    make(*arguments, path)
    if not worth(path):
        return False
    for name, wanted, found in zip(like.edges[1], like.outputs, answers(path, like), strict=True):
        if found.dtype.kind == "f" and np.isfinite(wanted).all() and not np.isfinite(found).all():
            raise ValueError(f"its output {name} is not finite")
    return True


def _quantized(path: Path) -> bool:
    return any(tensor.data_type in _INT8 for tensor in onnx.load(path).graph.initializer if tensor.dims)


def _changed(path: Path) -> bool:
    return path.exists()


def _whatever(path: Path) -> bool:
    return True


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

    # By its path it takes what is above protobuf's limit as well.
    large = onnx_file.size(source) >= room.LARGEST
    given = str(source) if large else onnx.load(source)
    onnx_file.save(convert_float_to_float16(given, keep_io_types=True), target)
