"""Optimizes ONNX files of others as they are, on generated inputs: a line of JSON for each file.

Run in the pipeline's environment with a folder that holds the packages. FP32 stays unless a variant's first output
agrees within 5 % of the largest answer on every sample, and it is faster beyond noise.
"""

import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline import runtime
from slipway.pipeline.confidence import median_ratio
from slipway.pipeline.errors import PipelineError
from slipway.pipeline.graph import Reference, reason
from slipway.pipeline.measure import calls_of
from slipway.pipeline.mixed_precision import Trial
from slipway.pipeline.quantize import dynamic
from slipway.pipeline.variants import Variant, make_variants

SAMPLES, ALIKE, FASTER = 12, 0.95, 0.97
SILENCE = 1e-3
SIZES = {"cls": (3, 48, 192), "rec": (3, 48, 320), "det": (3, 160, 160)}
DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int32)": "int32"}


def main(folder: Path) -> None:
    logging.disable(logging.WARNING)
    for file in sorted(folder.glob("*/**/*.onnx")):
        package = file.relative_to(folder).parts[0]
        if package in ("rapidocr_onnxruntime", "silero_vad", "magika"):
            print(json.dumps({"package": package, "file": file.name} | outcome(file)), flush=True)


def outcome(file: Path) -> dict[str, Any]:
    plain = runtime.session(file, optimized=False)
    samples = [generated(plain, file, at) for at in range(SAMPLES)]
    right = [plain.run(None, each) for each in samples]
    try:
        runtime.specs(plain)
        served = ""
    except PipelineError as error:
        served = f"; /predict could not serve it: {error}"
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "source.onnx"
        shutil.copyfile(file, source)
        like = Reference(runtime.edges(plain), joined(samples), joined(right)) if not served else None
        variants = made(source, samples, like)
        return judged(variants, samples, right, file.stat().st_size, served)


def joined(samples: list[Any]) -> Any:
    """Samples of inputs by name, or of outputs in order, in one batch."""
    if isinstance(samples[0], dict):
        return {name: np.concatenate([each[name] for each in samples]) for name in samples[0]}
    return [np.concatenate(each) for each in zip(*samples, strict=True)]


def made(source: Path, samples: list[dict[str, Any]], like: Reference | None) -> list[Variant]:
    if like is not None:
        return make_variants(source, like, like.inputs, "cpu", lambda fp32: trial(fp32, like.inputs))
    variants = [Variant("fp32", source)]  # its inputs carry state, so samples can't be put together
    quantized = source.with_name("int8-dynamic.onnx")
    try:
        dynamic(source, quantized)
        runtime.session(quantized)
        variants.append(Variant("int8-dynamic", quantized))
    except Exception as error:
        variants.append(Variant("int8-dynamic", None, reason(error, quantized)))
    return variants


def trial(fp32: Path, training: dict[str, Any]) -> Trial:
    right = runtime.predict(runtime.session(fp32), training)[0]
    return Trial(
        training, lambda path: 1 - agreement(runtime.predict(runtime.session(path), training)[0], right), 0.025
    )


def judged(
    variants: list[Variant], samples: list[dict[str, Any]], right: list[Any], size: int, served: str
) -> dict[str, Any]:
    running = {each.name: runtime.session(each.path) for each in variants if each.path}
    answers = {name: [each.run(None, sample) for sample in samples] for name, each in running.items()}
    agreements = {
        n: min(agreement(a[0], b[0]) for a, b in zip(found, right, strict=True)) for n, found in answers.items()
    }
    batched = not served
    inputs = {name: np.concatenate([each[name] for each in samples]) for name in samples[0]} if batched else None
    if inputs is None:
        return {"choice": "fp32", "agreement": agreements["fp32"], "reason": f"{others(variants, agreements)}{served}"}
    calls = calls_of(running, inputs)
    rounds = {name: np.array([np.median(each) for each in calls[name]]) for name in running}
    ratios = {name: median_ratio(rounds[name], rounds["fp32"]) for name in running}
    good = [n for n in running if n != "fp32" and agreements[n] >= ALIKE and ratios[n][2] < FASTER]
    choice = min(good, key=lambda name: ratios[name][1], default="fp32")
    paths = {each.name: each.path for each in variants}
    kept = others(variants, agreements, ratios) if choice == "fp32" else "fastest of those that answer alike"
    return {
        "choice": choice,
        "agreement": agreements[choice],
        "speed": 1 / ratios[choice][1],
        "smaller": size / paths[choice].stat().st_size,
        "reason": kept,
    }


def others(variants: list[Variant], agreements: dict[str, float], ratios: dict[str, Any] | None = None) -> str:
    said = []
    for each in variants[1:]:
        if each.path is None:
            said.append(f"{each.name}: {each.note}")
        else:
            speed = f", {1 / ratios[each.name][1]:.2f}x" if ratios else ""
            said.append(f"{each.name}: agreement {agreements[each.name]:.4f}{speed}")
    return "; ".join(said)


def agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """1 less the largest difference as a share of the largest answer; what lies below SILENCE counts as that."""
    return 1 - float(np.abs(ours - theirs).max()) / max(float(np.abs(theirs).max()), SILENCE)


def generated(running: Any, file: Path, seed: int) -> dict[str, np.ndarray]:
    """One sample of the shapes that these files are used with."""
    generator = np.random.default_rng(seed)
    known = next((size for name, size in SIZES.items() if f"_{name}_" in file.name), None)
    found = {}
    for given in running.get_inputs():
        shape = [1 if not isinstance(size, int) else size for size in given.shape]
        if given.name == "sr":
            found["sr"] = np.array(16000, "int64")
            continue
        if given.name == "input" and shape[-1] == 1:
            shape = [1, 576]
        if known and given.name == "x":
            shape = [1, *known]
        dtype = DTYPES[given.type]
        values = generator.random(shape) if dtype == "float32" else generator.integers(0, 256, shape)
        found[given.name] = values.astype(dtype)
    return found
