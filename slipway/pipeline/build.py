"""One build, in the model's own environment: train, convert, optimize, measure, judge, serve, keep."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from slipway.pipeline import guard, judge, onnx_file, room
from slipway.pipeline.answers import Answers, answered
from slipway.pipeline.checks import conversion
from slipway.pipeline.choice import Judged, check_pin, keep_best
from slipway.pipeline.device import Device, measured
from slipway.pipeline.errors import PipelineError, shown
from slipway.pipeline.findings import trained
from slipway.pipeline.form import in_form
from slipway.pipeline.judge import Candidate
from slipway.pipeline.measure import Timing, measure
from slipway.pipeline.model_folder import UserModel
from slipway.pipeline.progress import Progress
from slipway.pipeline.provenance import provenance
from slipway.pipeline.reads import Reads
from slipway.pipeline.settings import Settings, read_settings
from slipway.pipeline.sources import source_of
from slipway.pipeline.sources.base import Source
from slipway.pipeline.task import Task, task_of
from slipway.pipeline.trial import trial
from slipway.pipeline.variants import make_variants


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
    settings = _settings(folder, wanted)
    guard.start()
    progress.phase("reading the model folder and its data")
    reads = Reads(folder, settings.data)
    with reads.noticed():
        user = UserModel(folder, settings)
        task = task_of(folder, settings, user, progress)
    progress.phase(f"training on {len(task.training)} samples" if not settings.model else f"loading {settings.model}")
    source, seconds = _trained(user, task, reads, work)
    undeclared = sorted(map(shown, map(Path, reads.files))) + sorted(reads.hosts)
    for read in undeclared:
        progress.phase(f"model.py reads {read}, which data: in model.yaml does not name: changes of it go unnoticed")

    lean = room.lean(onnx_file.size(source.path), room.free())
    form = in_form(task, source)
    task, source = form.task, form.source
    if form.softmax:
        progress.phase("adding a softmax: the model answers logits (scores: raw in model.yaml leaves them)")
    progress.phase("optimizing and quantizing")
    variants = make_variants(
        source.path, form.like, task.training.inputs, settings.target, lambda reference: trial(task, reference), lean
    )
    variants[0] = replace(variants[0], note="; ".join(filter(None, (*source.notes, variants[0].note))))
    check_pin(wanted.variant, variants)

    progress.phase(f"measuring {task.metric.name} on {len(task.evaluation)} held-out samples")
    variants, answers = answered(task, variants)
    differences = conversion(source, task.evaluation.inputs, answers.together)
    paths = {each.name: each.path for each in variants if each.path is not None}
    timings, device = _timed(task, paths, answers, wanted, work, progress)
    candidates = _candidates(task, paths, answers, timings)
    verdicts = [judge.verdict(each, candidates[0], task.metric, settings.budget) for each in candidates]
    facts = {
        "alsoTrainedOn": task.seen,
        "undeclaredReads": undeclared,
        "conversion": differences,
        "softmaxAdded": form.softmax,
        "training": trained(task, source, answers.training, verdicts[0].figure, seconds),
        "provenance": provenance(settings, source.path, task.training, task.evaluation),
    }
    judged = Judged(
        variants=variants,
        candidates=candidates,
        verdicts=verdicts,
        answers=answers,
        timings=timings,
        device=device,
        facts=facts,
    )
    return keep_best(task, judged, wanted.variant, wanted.service, _made(work / "artifact"), progress)


def _settings(folder: Path, wanted: Wanted) -> Settings:
    settings = read_settings(folder)
    return settings.model_copy(update={"target": wanted.target}) if wanted.target else settings


def _trained(user: UserModel, task: Task, reads: Reads, work: Path) -> tuple[Source, float]:
    """The model as a file in `work/variants`, and the seconds that training and converting it took."""
    started, logs = time.monotonic(), _made(work / "logs")
    with reads.noticed():
        model = user.train(logs)
    settings = task.settings
    source = source_of(
        model, task.folder, task.training.inputs, _made(work / "variants"), settings.task, settings.output
    )
    return source, time.monotonic() - started


def _candidates(task: Task, paths: dict[str, Path], answers: Answers, timings: dict[str, Timing]) -> list[Candidate]:
    return [
        Candidate(
            name=name,
            scores=task.metric.score(answers.outputs[name], task.evaluation.labels),
            rounds=timings[name].rounds if name in timings else None,
            size=onnx_file.size(path),
        )
        for name, path in paths.items()
    ]


def _timed(
    task: Task, paths: dict[str, Path], answers: Answers, wanted: Wanted, work: Path, progress: Progress
) -> tuple[dict[str, Timing], Device | None]:
    """On this machine's processor, or on its GPU where the model is for one and one can be used, which is told."""
    inputs = task.evaluation.inputs
    if task.settings.target == "cpu":
        progress.phase("measuring latency and memory")
        return measure(paths, inputs, answers.alone), None
    if not wanted.timer:
        return {}, None
    progress.phase("measuring latency on this machine's GPU")
    try:
        device = measured(wanted.timer, paths, inputs, work / "device")
    except PipelineError as error:
        progress.phase(f"{error}; they stay unmeasured")
        return {}, None
    return device.timings, device


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
