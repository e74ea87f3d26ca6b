"""The choice against another artifact, such as the one that serves now: same data, same process, in pairs."""

from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline import onnx_file, runtime
from slipway.pipeline.confidence import drop_upper, median_ratio
from slipway.pipeline.data import fitted
from slipway.pipeline.errors import BadInput
from slipway.pipeline.measure import calls_of
from slipway.pipeline.metrics import Metric, of_all
from slipway.pipeline.model_folder import UserModel
from slipway.pipeline.report import hardware
from slipway.pipeline.settings import read_settings
from slipway.service.artifact import Artifact, load

MARGIN = 0.05


def compare(folder: Path, ours: Path, theirs: Path) -> dict[str, Any]:
    """Two artifacts on the evaluation data of a model folder; `problem`: why the first must not replace the other.

    `drop` is how much worse ours is in the metric, `ratio` its latency in theirs with 95 % bounds from either side.
    Worse is a drop beyond the budget, slower a lower bound beyond noise. Where they can't be compared, as their
    inputs or answers differ in kind, that is the problem.
    """
    settings = read_settings(folder)
    user = UserModel(folder, settings)
    metric, evaluation = user.metric(), user.evaluation_data()
    new, old = load(ours), load(theirs)
    report: dict[str, Any] = {"metric": metric.name, "budget": settings.budget, "hardware": hardware()}
    if reason := _apart(new, old):
        return report | {"comparable": False, "problem": f"{reason}, so the two can't be compared"}
    sessions = {name: runtime.session(each.model) for name, each in (("ours", new), ("theirs", old))}
    try:
        columns = {each.name: each.columns for each in new.signature.inputs if each.columns}
        data = fitted(evaluation, new.signature.inputs, columns)
    except BadInput as error:
        return report | {"comparable": False, "problem": str(error)}
    outputs = {
        name: runtime.predict(sessions[name], data.inputs, *([1] if each.signature.alone else []))
        for name, each in (("ours", new), ("theirs", old))
    }
    labels = data.labels if data.labels.size else outputs["theirs"][0]
    metric = of_all(metric, settings, [each.name for each in new.signature.outputs])
    scores = {name: metric.score(answers, labels) for name, answers in outputs.items()}
    figures = {name: metric.total(each) for name, each in scores.items()}
    drop = metric.drop(figures["theirs"], figures["ours"])
    calls = calls_of(sessions, data.inputs)
    rounds = {name: np.array([np.median(each) for each in calls[name]]) for name in sessions}
    # What is made for other hardware says nothing by its speed here.
    ratio = (
        median_ratio(rounds["ours"], rounds["theirs"]) if new.read("report")["hardware"]["target"] == "cpu" else None
    )
    report |= {
        "comparable": True,
        "samples": len(data),
        **{name: _side(each, figures[name], calls[name]) for name, each in (("ours", new), ("theirs", old))},
        "drop": drop,
        "dropUpper95": drop_upper(metric, scores["theirs"], scores["ours"]),
        "ratio": ratio and list(ratio),
    }
    return report | {"problem": _problem(metric, report)}


def _problem(metric: Metric, report: dict[str, Any]) -> str | None:
    drop, budget = report["drop"], report["budget"]
    found = []
    if drop > budget:
        found.append(
            f"its {metric.name} {report['ours']['metric']:.4f} is worse than {report['theirs']['metric']:.4f} by "
            f"{drop:.4f}, {drop - budget:.4f} beyond the budget of {budget:g}"
        )
    if report["ratio"] and report["ratio"][0] > 1 + MARGIN:
        low, ratio, _ = report["ratio"]
        found.append(f"it takes {ratio:.2f} times as long, at least {low:.2f} times with 95 % confidence")
    return " and ".join(found) or None


def _side(artifact: Artifact, figure: float, calls: list[np.ndarray]) -> dict[str, Any]:
    p50, p99 = (float(each) for each in np.percentile(np.concatenate(calls), [50, 99]))
    return {
        "digest": artifact.digest,
        "variant": artifact.read("report")["choice"]["variant"],
        "metric": figure,
        "latencyMs": {"p50": p50, "p99": p99},
        "sizeBytes": onnx_file.size(artifact.model),
    }


def _apart(new: Artifact, old: Artifact) -> str | None:
    """What differs between what the two take and answer, if anything does."""
    for kind in ("inputs", "outputs"):
        ours, theirs = (
            [(each.name, each.dtype, each.shape) for each in getattr(artifact.signature, kind)]
            for artifact in (new, old)
        )
        if ours != theirs:
            return f"its {kind} are {_listed(ours)}, those of the other {_listed(theirs)}"
    for one, other in zip(new.signature.inputs, old.signature.inputs, strict=True):
        if one.columns and other.columns and one.columns != other.columns:
            columns = ", ".join(one.columns), ", ".join(other.columns)
            return f"its columns of {one.name} are {columns[0]}, those of the other {columns[1]}"
    if new.signature.labels != old.signature.labels:
        return "its labels differ from those of the other"
    return None


def _listed(specs: list[Any]) -> str:
    return ", ".join(f"{name} {dtype} {list(shape)}" for name, dtype, shape in specs)
