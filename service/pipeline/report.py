"""The part of report.json that compares the variants."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from service.pipeline import judge
from service.pipeline.measure import Timing
from service.pipeline.metrics import METRICS
from service.pipeline.settings import Settings
from service.pipeline.variants import Variant

LIBRARIES = ("onnx", "onnxruntime", "onnxslim", "numpy", "keras", "tensorflow-cpu", "tf2onnx", "scikit-learn", "torch")
MEASURED = (
    "metric",
    "drop",
    "dropUpper95",
    "latencyMs",
    "throughputPerSecond",
    "bestBatch",
    "sizeBytes",
    "compression",
    "speedup",
)


def variants_report(
    settings: Settings,
    variants: list[Variant],
    verdicts: list[judge.Verdict],
    timings: dict[str, Timing],
    choice: judge.Choice,
) -> dict[str, Any]:
    """How each variant did and which one is served, with the limits, hardware and versions that it holds for."""
    metric = METRICS[settings.metric]
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
        "hardware": {"target": settings.target, "cpu": _cpu(), "cores": len(os.sched_getaffinity(0))},
        "versions": _versions(),
        "variants": [
            _variant(each, judged.get(each.name), timings.get(each.name), verdicts[0].size) for each in variants
        ],
        "choice": {"variant": choice.variant, "reason": choice.reason},
    }


def _variant(
    variant: Variant, verdict: judge.Verdict | None, timing: Timing | None, reference_size: int
) -> dict[str, Any]:
    if verdict is None or timing is None:
        unmeasured = dict.fromkeys(MEASURED)
        return {"name": variant.name, **unmeasured, "withinBudget": False, "faster": False, "note": variant.note}
    best = max(timing.per_second, key=lambda size: timing.per_second[size])
    p50, p99 = (float(each) for each in np.percentile(timing.calls, [50, 99]))
    return {
        "name": variant.name,
        "metric": verdict.figure,
        "drop": verdict.drop,
        "dropUpper95": verdict.drop_upper,
        "latencyMs": {"p50": p50, "p99": p99},
        "throughputPerSecond": timing.per_second[1],
        "bestBatch": {"size": best, "perSecond": timing.per_second[best]},
        "sizeBytes": verdict.size,
        "compression": (reference_size - verdict.size) / reference_size,
        "speedup": 1 / verdict.ratio[1],
        "withinBudget": verdict.within_budget,
        "faster": verdict.faster,
        "note": variant.note or verdict.note,
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
