"""One build, in the model's own environment: train, convert, optimize, measure, judge, write the artifact."""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline import judge, runtime
from slipway.pipeline.checks import check_answers, conversion, overlap
from slipway.pipeline.company import check_rows, depends
from slipway.pipeline.data import Dataset, fitted
from slipway.pipeline.device import Device, measured
from slipway.pipeline.errors import BadInput, PipelineError, Refused, shown
from slipway.pipeline.graph import check_mode
from slipway.pipeline.judge import Candidate, Verdict
from slipway.pipeline.measure import Timing, measure
from slipway.pipeline.metrics import METRICS, Metric, check_labels, class_recalls
from slipway.pipeline.mixed_precision import Trial
from slipway.pipeline.model_folder import UserModel
from slipway.pipeline.package import Package, write_artifact, write_report
from slipway.pipeline.probabilities import with_probabilities
from slipway.pipeline.progress import Progress
from slipway.pipeline.provenance import provenance
from slipway.pipeline.reads import Reads
from slipway.pipeline.report import variants_report
from slipway.pipeline.scores import label_and_answer
from slipway.pipeline.served import judge_served
from slipway.pipeline.service_process import NotServed
from slipway.pipeline.settings import Settings, read_settings
from slipway.pipeline.sources import source_of
from slipway.pipeline.sources.base import Source
from slipway.pipeline.tolerance import Tolerance
from slipway.pipeline.variants import REFERENCE, Variant, make_variants

TRIAL_SAMPLES = 500


@dataclass(frozen=True)
class Task:
    """What is built: the folder, its settings, metric and data, and the labels of the classes."""

    folder: Path
    settings: Settings
    metric: Metric
    training: Dataset
    evaluation: Dataset
    labels: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a build is asked for beyond its folder: a pinned `variant`, another `target` than the settings', where this
    machine has the target's hardware the command that times models on it, and the command that starts the real service,
    which is called before anything is kept."""

    service: list[str]
    variant: str | None = None
    target: str | None = None
    timer: list[str] | None = None


def build(folder: Path, work: Path, wanted: Wanted, progress: Progress) -> str:
    """Writes `work/artifact` and TensorBoard logs in `work/logs`; returns the digest.

    Raises BadInput for what the user can mend, Refused, with the report, where the gate keeps the model out.
    """
    settings, pinned = read_settings(folder), wanted.variant
    if wanted.target:
        settings = settings.model_copy(update={"target": wanted.target})
    progress.phase("reading the model folder and its data")
    reads = Reads(folder, settings.data)
    with reads.noticed():
        user = UserModel(folder, settings)
    metric = user.metric()
    with reads.noticed():
        task = Task(folder, settings, metric, user.training_data(), user.evaluation_data(), user.labels())
    for each in (task.training, task.evaluation):
        check_labels(metric.name, each.labels, each.where)
    judge.require_enough(task.evaluation.labels, metric, settings.budget, task.evaluation.where)
    seen = overlap(task.training, task.evaluation)
    for each in (task.training, task.evaluation):
        if each.columns:
            progress.phase(f"read {len(each)} samples from {each.where}")
    if seen == len(task.evaluation):
        progress.phase(f"all {seen} held-out samples are in the training data as well: they have few distinct rows")

    progress.phase(f"training on {len(task.training)} samples" if not settings.model else f"loading {settings.model}")
    started = time.monotonic()
    logs = _made(work / "logs")
    with reads.noticed():
        trained = user.train(logs)
    source = source_of(trained, folder, task.training.inputs)
    seconds = time.monotonic() - started
    undeclared = sorted(map(shown, map(Path, reads.files))) + sorted(reads.hosts)
    for read in undeclared:
        progress.phase(f"model.py reads {read}, which data: in model.yaml does not name: changes of it go unnoticed")

    check_mode(source.proto, shown(folder))
    brought = source
    if settings.task == "classification":
        inputs, _ = runtime.specs(runtime.session(source.proto.SerializeToString()))
        source = with_probabilities(source, settings, fitted(task.evaluation, inputs).inputs)
    if source is not brought:
        progress.phase("adding a softmax: the model answers logits (scores: raw in model.yaml leaves them)")
    converted = source.proto.SerializeToString()
    inputs, outputs = runtime.specs(runtime.session(converted))
    task = _fitted(task, source, inputs)
    check_rows(converted, task.evaluation.inputs, shown(folder))
    progress.phase("optimizing and quantizing")
    variants = make_variants(
        source.proto,
        task.training.inputs,
        _made(work / "variants"),
        settings.target,
        lambda reference: _trial(task, reference),
    )
    _check_pin(pinned, variants)
    paths = {each.name: each.path for each in variants if each.path is not None}

    progress.phase(f"measuring {metric.name} on {len(task.evaluation)} held-out samples")
    answers = {name: runtime.predict(runtime.session(path), task.evaluation.inputs) for name, path in paths.items()}
    check_answers(answers[REFERENCE][0], settings, task.evaluation, _highest(task), task.labels, folder)
    differences = conversion(source, task.evaluation.inputs, answers[REFERENCE])
    alone = _alone(task, paths, answers)
    timings: dict[str, Timing] = {}
    if not variants[0].elsewhere:
        progress.phase("measuring latency and memory")
        timings = measure(paths, task.evaluation.inputs, alone)
    device = _on_gpu(wanted, paths, task, work, progress) if variants[0].elsewhere else None
    if device:
        timings = device.timings

    candidates = [
        Candidate(
            name=name,
            scores=metric.scores(answers[name][0], task.evaluation.labels),
            rounds=timings[name].rounds if name in timings else None,
            size=path.stat().st_size,
        )
        for name, path in paths.items()
    ]
    verdicts = [judge.verdict(each, candidates[0], metric, settings.budget) for each in candidates]
    training = _training(task, source, paths[REFERENCE], verdicts[0].figure, seconds)
    origin = provenance(settings, source.proto, task.training, task.evaluation)
    while True:
        report = {
            "model": folder.name,
            "samples": len(task.evaluation),
            "alsoTrainedOn": seen,
            "undeclaredReads": undeclared,
            **variants_report(settings, metric, _noted(variants, alone), verdicts, timings, device),
            "conversion": differences,
            "softmaxAdded": source is not brought,
            "training": training,
            "provenance": origin,
        }
        choice = _judged(task, verdicts, candidates, pinned, report, alone)
        report |= {"choice": {"variant": choice.variant, "reason": choice.reason}}
        if settings.task == "classification":
            both = {name: answers[name][0] for name in (REFERENCE, choice.variant)}
            report["recall"], report["f1"] = _recall(task, both), _f1(task, both)

        progress.phase(f"calling the real service on {choice.variant} with held-out samples")
        package = Package(
            model=paths[choice.variant],
            inputs=inputs,
            outputs=outputs,
            labels=task.labels,
            training=task.training,
            evaluation=task.evaluation,
            answers=answers[choice.variant],
            alone=choice.variant in alone,
            elsewhere=variants[0].elsewhere,
        )
        artifact = _made(work / "artifact")
        signature = write_artifact(artifact, package, report)
        tolerance = Tolerance(choice.variant, settings.task, metric, settings.budget)
        expected, reference = answers[choice.variant], verdicts[0].figure
        try:
            served = judge_served(wanted.service, artifact, signature, task.evaluation, expected, reference, tolerance)
        except NotServed as error:
            _check_others(task, choice.variant, pinned, error)
            shutil.rmtree(artifact)
            variants = [_without(each, choice.variant, str(error)) for each in variants]
            verdicts = [each for each in verdicts if each.name != choice.variant]
            candidates = [each for each in candidates if each.name != choice.variant]
            continue
        chosen = next(each for each in verdicts if each.name == choice.variant)
        _gate(task, replace(chosen, figure=served["metric"]), report, alone)
        return write_report(artifact, report | {"served": served})


def _alone(task: Task, paths: dict[str, Path], answers: dict[str, list[np.ndarray]]) -> dict[str, str]:
    """The variants whose answers depend on the other samples of a batch, with how. The service runs their samples one
    at a time, so their `answers` are replaced by those."""
    found = {}
    for name, path in paths.items():
        tolerance = Tolerance(name, task.settings.task, task.metric, task.settings.budget)
        if (reason := depends(path, task.evaluation, answers[name], tolerance)) is not None:
            found[name] = reason
            answers[name] = runtime.predict(runtime.session(path), task.evaluation.inputs, 1)
    return found


def _noted(variants: list[Variant], alone: dict[str, str]) -> list[Variant]:
    """With the reason why a variant's samples are run one at a time."""
    words = "samples run one at a time, as an answer depends on its batch"
    return [
        replace(each, note="; ".join(filter(None, (each.note, f"{words}: {alone[each.name]}"))))
        if each.name in alone
        else each
        for each in variants
    ]


def _check_others(task: Task, variant: str, pinned: str | None, error: NotServed) -> None:
    """Raises unless another variant can take the place of one that can't be served."""
    if pinned is not None:
        raise Refused(f"the pinned variant {variant} can't be served: {error}") from error
    if variant == REFERENCE:
        raise BadInput(f"{shown(task.folder)}: the model was built, but can't be served: {error}") from error


def _without(variant: Variant, name: str, reason: str) -> Variant:
    return replace(variant, path=None, note=f"can't be served: {reason}") if variant.name == name else variant


def _on_gpu(wanted: Wanted, paths: dict[str, Path], task: Task, work: Path, progress: Progress) -> Device | None:
    """What this machine's GPU says; None where there is none, or it can't be used, which is told."""
    if not wanted.timer:
        return None
    progress.phase("measuring latency on this machine's GPU")
    try:
        return measured(wanted.timer, paths, task.evaluation.inputs, work / "device")
    except PipelineError as error:
        progress.phase(f"{error}; they stay unmeasured")
        return None


def _fitted(task: Task, source: Source, inputs: Any) -> Task:
    training, evaluation = fitted(task.training, inputs), fitted(task.evaluation, inputs)
    if task.settings.task == "embedding" and not evaluation.labels.size:  # the source's own answers are the measure
        training = replace(training, labels=source.predict(training.inputs)[0])
        evaluation = replace(evaluation, labels=source.predict(evaluation.inputs)[0])
    return replace(task, training=training, evaluation=evaluation)


def _trial(task: Task, reference: Path) -> Trial:
    """The drop of a file against FP32 on a part of the training data, which has each class."""
    at = np.unique(np.linspace(0, len(task.training) - 1, TRIAL_SAMPLES).astype(int))
    if task.settings.task == "classification":
        at = np.union1d(at, np.unique(task.training.labels, return_index=True)[1])
    inputs = {name: array[at] for name, array in task.training.inputs.items()}
    labels = task.training.labels[at]

    def figure(path: Path) -> float:
        output = runtime.predict(runtime.session(path), inputs)[0]
        return task.metric.total(task.metric.scores(output, labels))

    base = figure(reference)
    return Trial(inputs, lambda path: task.metric.drop(base, figure(path)), task.settings.budget / 2)


def _judged(
    task: Task,
    verdicts: list[Verdict],
    candidates: list[Candidate],
    pinned: str | None,
    report: dict[str, Any],
    alone: dict[str, str],
) -> judge.Choice:
    try:
        choice = judge.choose(verdicts, candidates, pinned)
    except Refused as error:
        raise _refused(error, report) from None
    _gate(task, next(each for each in verdicts if each.name == choice.variant), report, alone)
    return choice


def _gate(task: Task, chosen: Verdict, report: dict[str, Any], alone: dict[str, str]) -> None:
    try:
        judge.gate(task.folder.name, chosen, task.metric, task.settings.limit)
    except Refused as error:
        why = (
            f". An answer of it depends on the rest of its batch: {alone[chosen.name]}" if chosen.name in alone else ""
        )
        raise _refused(Refused(f"{error}{why}"), report) from None


def _refused(error: Refused, report: dict[str, Any]) -> Refused:
    return Refused(str(error), report | {"choice": {"variant": None, "reason": str(error)}})


def _check_pin(pinned: str | None, variants: list[Variant]) -> None:
    if pinned is None:
        return
    found = next((each for each in variants if each.name == pinned), None)
    if found is None:
        raise BadInput(f"there is no variant {pinned}; the variants are {', '.join(each.name for each in variants)}")
    if found.path is None:
        raise Refused(f"the pinned variant {pinned} could not be made: {found.note}")


def _highest(task: Task) -> int:
    """The highest class in either set, 0 where there are no classes."""
    if task.settings.task != "classification":
        return 0
    return int(max(task.evaluation.labels.max(), task.training.labels.max()))


def _training(task: Task, source: Source, reference: Path, held_out: float, seconds: float) -> dict[str, Any]:
    output = runtime.predict(runtime.session(reference), task.training.inputs)[0]
    figure = task.metric.total(task.metric.scores(output, task.training.labels))
    return {
        "framework": source.framework,
        "samples": len(task.training),
        "seconds": round(seconds, 2),
        "training": figure,
        "heldOut": held_out,
        "gap": task.metric.drop(figure, held_out),
    }


def _recall(task: Task, outputs: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """By variant and class: the share of its held-out samples that is answered right."""
    names = task.labels
    return {
        variant: {
            names[at] if names else str(at): figure
            for at, figure in class_recalls(label_and_answer(output, task.evaluation.labels)).items()
        }
        for variant, output in outputs.items()
    }


def _f1(task: Task, outputs: dict[str, np.ndarray]) -> dict[str, float]:
    f1 = METRICS["f1"]
    return {name: f1.total(f1.scores(output, task.evaluation.labels)) for name, output in outputs.items()}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
