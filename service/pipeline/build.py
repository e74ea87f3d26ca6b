"""One build, in the model's own environment: train, convert, optimize, measure, judge, write the artifact."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from service.pipeline import judge, runtime
from service.pipeline.data import Dataset, Inputs, fitted
from service.pipeline.errors import BadInput, Refused, shown
from service.pipeline.measure import measure
from service.pipeline.metrics import METRICS
from service.pipeline.package import write_artifact
from service.pipeline.progress import Progress
from service.pipeline.report import variants_report
from service.pipeline.settings import Settings, read_settings
from service.pipeline.sources import Source, source_of
from service.pipeline.usermodel import UserModel
from service.pipeline.variants import REFERENCE, Variant, make_variants

TOLERANCE = 1e-3


@dataclass(frozen=True)
class Task:
    """What is built: the folder, its settings and data, and the labels of the classes."""

    folder: Path
    settings: Settings
    training: Dataset
    evaluation: Dataset
    labels: tuple[str, ...] | None


def build(folder: Path, work: Path, pinned: str | None, progress: Progress) -> str:
    """Writes `work/artifact` and TensorBoard logs in `work/logs`; returns the digest.

    Raises BadInput for what the user can mend, Refused where the gate keeps the model out.
    """
    settings = read_settings(folder)
    progress.phase("reading model.py and its data")
    user = UserModel(folder, settings.task)
    task = Task(folder, settings, user.training_data(), user.evaluation_data(), user.labels())
    metric = METRICS[settings.metric]
    judge.require_enough(len(task.evaluation), metric, settings.budget, task.evaluation.where)

    progress.phase(f"training on {len(task.training)} samples")
    started = time.monotonic()
    source = source_of(user.train(_made(work / "logs")), folder)
    seconds = time.monotonic() - started

    inputs, outputs = runtime.specs(runtime.session(source.proto.SerializeToString()))
    task = Task(folder, settings, fitted(task.training, inputs), fitted(task.evaluation, inputs), task.labels)
    progress.phase("optimizing and quantizing")
    variants = make_variants(source.proto, task.training.inputs, _made(work / "variants"))
    _check_pin(pinned, variants)
    sessions = {each.name: runtime.session(each.path) for each in variants if each.path is not None}

    progress.phase(f"measuring {metric.name} on {len(task.evaluation)} held-out samples")
    answers = {name: runtime.predict(running, task.evaluation.inputs) for name, running in sessions.items()}
    _check_answers(answers[REFERENCE][0], task)
    conversion = _conversion(source, task.evaluation.inputs, answers[REFERENCE])
    progress.phase("measuring latency")
    timings = measure(sessions, task.evaluation.inputs)

    candidates = [
        judge.Candidate(
            name=each.name,
            scores=metric.scores(answers[each.name][0], task.evaluation.labels),
            rounds=timings[each.name].rounds,
            size=each.path.stat().st_size,
        )
        for each in variants
        if each.path is not None
    ]
    verdicts = [judge.verdict(each, candidates[0], metric, settings.budget) for each in candidates]
    choice = judge.choose(verdicts, candidates, pinned)
    judge.gate(folder.name, next(each for each in verdicts if each.name == choice.variant), metric, settings.limit)

    progress.phase(f"writing the artifact: {choice.variant}")
    report = {
        "model": folder.name,
        "samples": len(task.evaluation),
        **variants_report(settings, variants, verdicts, timings, choice),
        "conversion": conversion,
        "training": _training(task, source, sessions[REFERENCE], verdicts[0].figure, seconds),
    }
    chosen = next(each.path for each in variants if each.name == choice.variant)
    assert chosen is not None
    return write_artifact(
        _made(work / "artifact"), chosen, report, inputs, outputs, task.labels, task.training, task.evaluation
    )


def _check_pin(pinned: str | None, variants: list[Variant]) -> None:
    if pinned is None:
        return
    found = next((each for each in variants if each.name == pinned), None)
    if found is None:
        raise BadInput(f"there is no variant {pinned}; the variants are {', '.join(each.name for each in variants)}")
    if found.path is None:
        raise Refused(f"the pinned variant {pinned} could not be made: {found.note}")


def _check_answers(output: np.ndarray, task: Task) -> None:
    """The model's first output against the labels. Raises BadInput where they can't belong together."""
    answers, where = task.evaluation.labels, task.evaluation.where
    file = shown(task.folder / "model.py")
    if not np.isfinite(output).all():
        raise BadInput(f"{file}: the model answers NaN or infinity on the data of evaluation_data()")
    width = int(np.prod(output.shape[1:]))
    if task.settings.task == "regression":
        if width != int(np.prod(answers.shape[1:])):
            raise BadInput(f"{where}: labels have shape {list(answers.shape)}, the model answers {list(output.shape)}")
        return
    if width < 2:
        raise BadInput(f"{file}: the model answers {width} value a sample; classification takes one for each class")
    highest = int(max(answers.max(), task.training.labels.max()))
    if highest >= width:
        raise BadInput(f"{where}: labels go up to class {highest}; the model knows {width} classes, 0 to {width - 1}")
    if task.labels is not None and len(task.labels) != width:
        raise BadInput(f"{file}: labels() names {len(task.labels)} classes; the model knows {width}")


def _conversion(source: Source, inputs: Inputs, answers: list[np.ndarray]) -> dict[str, float]:
    """How far the FP32 variant is from the source on the same inputs. Raises BadInput beyond TOLERANCE."""
    largest, total, count, scale = 0.0, 0.0, 0, 1.0
    for theirs, ours in zip(source.predict(inputs), answers, strict=True):
        if theirs.shape != ours.shape:
            raise BadInput(f"{source.framework} answers shape {list(theirs.shape)}, its conversion {list(ours.shape)}")
        difference = np.abs(theirs.astype(np.float64) - ours)
        largest, scale = max(largest, float(difference.max())), max(scale, float(np.abs(theirs).max()))
        total, count = total + float(difference.sum()), count + ours.size
    if largest > TOLERANCE * scale:
        limit = f"more than {TOLERANCE * scale:g}"
        raise BadInput(f"the converted model differs from {source.framework} by up to {largest:.3g}, {limit}")
    return {"maxAbsDiff": largest, "meanAbsDiff": total / count}


def _training(
    task: Task, source: Source, reference: ort.InferenceSession, held_out: float, seconds: float
) -> dict[str, Any]:
    metric = METRICS[task.settings.metric]
    output = runtime.predict(reference, task.training.inputs)[0]
    figure = metric.total(metric.scores(output, task.training.labels))
    return {
        "framework": source.framework,
        "samples": len(task.training),
        "seconds": round(seconds, 2),
        "training": figure,
        "heldOut": held_out,
        "gap": metric.drop(figure, held_out),
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
