"""The part of report.json that compares the variants."""

import os
import platform
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline import onnx_file
from slipway.pipeline.device import Device
from slipway.pipeline.judge import Verdict
from slipway.pipeline.measure import Timing, cores
from slipway.pipeline.metrics import Metric
from slipway.pipeline.settings import Settings
from slipway.pipeline.variants import Variant

RUNTIME = ("onnx", "onnxruntime", "onnxslim", "numpy")
FRAMEWORKS = ("keras", "tensorflow-cpu", "tf2onnx", "scikit-learn", "skl2onnx", "torch")
DMI = Path("/sys/devices/virtual/dmi/id")
ZIPPED = 2**29
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")
TIMED = ("latencyMs", "throughputPerSecond", "throughputAllThreads", "bestBatch", "memoryBytes", "speedup", "balance")
JUDGED = ("metric", "interval95", "drop", "dropUpper95", "sizeBytes", "compressedBytes", "compression")


def variants_report(
    settings: Settings,
    metric: Metric,
    variants: list[Variant],
    verdicts: list[Verdict],
    timings: dict[str, Timing],
    device: Device | None = None,
) -> dict[str, Any]:
    """How each variant did, with the limits, hardware and versions that it holds for."""
    judged = {each.name: each for each in verdicts}
    return {
        "task": settings.task,
        "metric": {
            "name": metric.name,
            "direction": metric.direction,
            "minimum": settings.minimum,
            "maximum": settings.maximum,
            "budget": settings.budget,
        },
        "hardware": hardware() | {"target": settings.target, "gpu": device.name if device else None},
        "versions": _versions(),
        "variants": [
            _variant(each, judged.get(each.name), timings.get(each.name), verdicts[0], metric)
            | ({"tensorrtMs": device.tensorrt.get(each.name)} if device else {})
            for each in variants
        ],
    }


def hardware() -> dict[str, Any]:
    """What every latency and throughput was measured on. `machine` is what has a price; `instructions` decide what
    INT8 gains."""
    names, flags = (_cpuinfo(field) for field in ("model name", "flags"))
    known = set(flags[0].split()) if flags else set()
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "machine": _machine(),
        "cores": cores(),
        "instructions": [each for each in INSTRUCTIONS if each in known],
    }


def _variant(
    variant: Variant, verdict: Verdict | None, timing: Timing | None, reference: Verdict, metric: Metric
) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": variant.name, **dict.fromkeys((*JUDGED, *TIMED))}
    if verdict is None or variant.path is None:
        return fields | {"withinBudget": False, "faster": False, "note": variant.note}
    fields |= {
        "metric": verdict.figure,
        "interval95": list(verdict.interval),
        "drop": verdict.drop,
        "dropUpper95": verdict.drop_upper,
        "sizeBytes": verdict.size,
        "compressedBytes": _compressed(variant.path),
        "compression": (reference.size - verdict.size) / reference.size,
        "withinBudget": verdict.within_budget,
        "faster": verdict.faster,
        "note": "; ".join(each for each in (variant.note, verdict.note) if each),
    }
    if timing is None:
        return fields
    best = max(timing.per_second, key=lambda size: timing.per_second[size])
    p50, p99 = (float(each) for each in np.percentile(timing.calls, [50, 99]))
    return fields | {
        "latencyMs": {"p50": p50, "p99": p99},
        "throughputPerSecond": timing.per_second[1],
        "throughputAllThreads": timing.all_threads,
        "bestBatch": {"size": best, "perSecond": timing.per_second[best]},
        "memoryBytes": timing.memory,
        "speedup": 1 / verdict.ratio[1],
        "balance": _balance(verdict, reference, metric),
    }


def _compressed(path: Path) -> int | None:
    """Bytes of the zipped file; None for one so large that this takes a minute and tells nobody anything."""
    return len(zlib.compress(path.read_bytes())) if onnx_file.size(path) < ZIPPED else None


def _balance(verdict: Verdict, reference: Verdict, metric: Metric) -> float | None:
    """Speed-up times the share of the metric that is kept: 1 is FP32, above it the trade is a gain."""
    kept, whole = (verdict.figure, reference.figure) if metric.higher_is_better else (reference.figure, verdict.figure)
    return kept / whole / verdict.ratio[1] if whole > 0 else None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in (*RUNTIME, *FRAMEWORKS):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _machine() -> str | None:
    """The cloud's name of this machine type (g6.xlarge): EC2 tells it, elsewhere `SLIPWAY_MACHINE` does; else None."""
    try:
        vendor, product = ((DMI / name).read_text().strip() for name in ("sys_vendor", "product_name"))
    except OSError:
        vendor = product = ""
    return product if vendor == "Amazon EC2" else os.environ.get("SLIPWAY_MACHINE")


def _cpuinfo(field: str) -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field]
