"""Which variant is kept: the best that the gate lets through and the real service serves as it was judged."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slipway.pipeline import judge
from slipway.pipeline.answers import Answers
from slipway.pipeline.device import Device
from slipway.pipeline.errors import BadInput, Refused, shown
from slipway.pipeline.findings import by_class
from slipway.pipeline.judge import Candidate, Verdict
from slipway.pipeline.measure import Timing
from slipway.pipeline.package import Package, write_artifact, write_report
from slipway.pipeline.progress import Progress
from slipway.pipeline.report import variants_report
from slipway.pipeline.served import judge_served
from slipway.pipeline.service_process import NotServed
from slipway.pipeline.task import Task
from slipway.pipeline.variants import REFERENCE, Variant


@dataclass(frozen=True, kw_only=True)
class Judged:
    """All variants, FP32 first, with a candidate and a verdict for each that was made. `facts`: what the report says
    beside them."""

    variants: list[Variant]
    candidates: list[Candidate]
    verdicts: list[Verdict]
    answers: Answers
    timings: dict[str, Timing]
    device: Device | None
    facts: dict[str, Any]

    def without(self, name: str, reason: str) -> "Judged":
        return replace(
            self,
            variants=[
                replace(v, path=None, note=f"can't be served: {reason}") if v.name == name else v for v in self.variants
            ],
            candidates=[each for each in self.candidates if each.name != name],
            verdicts=[each for each in self.verdicts if each.name != name],
        )

    def verdict(self, name: str) -> Verdict:
        return next(each for each in self.verdicts if each.name == name)

    def path(self, name: str) -> Path:
        return next(each.path for each in self.variants if each.name == name and each.path is not None)

    def report(self, task: Task) -> dict[str, Any]:
        compared = variants_report(task.settings, task.metric, self.variants, self.verdicts, self.timings, self.device)
        return {"model": task.folder.name, "samples": len(task.evaluation), **compared, **self.facts}


def keep_best(
    task: Task, judged: Judged, pinned: str | None, service: list[str], folder: Path, progress: Progress
) -> str:
    """Fills an empty folder with the artifact of the choice, once the command `service` has served it as it was judged;
    where it does not, the next best is tried. Returns the digest.

    Raises Refused, with the report, where the gate keeps the model out or the pinned variant can't be served, and
    BadInput where FP32 can't.
    """
    while True:
        report = judged.report(task)
        choice = _choice(task, judged, pinned, report)
        report |= {"choice": {"variant": choice.variant, "reason": choice.reason}}
        report |= by_class(task, {name: judged.answers.outputs[name][0] for name in (REFERENCE, choice.variant)})
        progress.phase(f"calling the real service on {choice.variant} with held-out samples")
        try:
            served = _served(task, judged, choice.variant, service, folder, report)
        except NotServed as error:
            _check_others(task, choice.variant, pinned, error)
            shutil.rmtree(folder)
            folder.mkdir()
            judged = judged.without(choice.variant, str(error))
            continue
        _gate(task, judged, replace(judged.verdict(choice.variant), figure=served["metric"]), report)
        return write_report(folder, report | {"served": served})


def check_pin(pinned: str | None, variants: list[Variant]) -> None:
    """Raises BadInput where there is no such variant, and Refused where it could not be made."""
    if pinned is None:
        return
    found = next((each for each in variants if each.name == pinned), None)
    if found is None:
        raise BadInput(f"there is no variant {pinned}; the variants are {', '.join(each.name for each in variants)}")
    if found.path is None:
        raise Refused(f"the pinned variant {pinned} could not be made: {found.note}")


def _served(
    task: Task, judged: Judged, variant: str, service: list[str], folder: Path, report: dict[str, Any]
) -> dict[str, Any]:
    """What the real service answers. Raises NotServed."""
    answers, (inputs, outputs) = judged.answers, judged.answers.specs[variant]
    package = Package(
        model=judged.path(variant),
        inputs=inputs,
        outputs=outputs,
        labels=task.labels,
        training=task.training,
        evaluation=task.evaluation,
        answers=answers.outputs[variant],
        alone=variant in answers.alone,
        elsewhere=judged.variants[0].elsewhere,
    )
    signature = write_artifact(folder, package, report)
    reference = judged.verdicts[0].figure
    return judge_served(
        service, folder, signature, task.evaluation, package.answers, reference, task.tolerance(variant)
    )


def _choice(task: Task, judged: Judged, pinned: str | None, report: dict[str, Any]) -> judge.Choice:
    try:
        choice = judge.choose(judged.verdicts, judged.candidates, pinned)
    except Refused as error:
        raise _refused(error, report) from None
    _gate(task, judged, judged.verdict(choice.variant), report)
    return choice


def _gate(task: Task, judged: Judged, chosen: Verdict, report: dict[str, Any]) -> None:
    try:
        judge.gate(task.folder.name, chosen, task.metric, task.settings.limit)
    except Refused as error:
        how = judged.answers.alone.get(chosen.name)
        why = f". An answer of it depends on the rest of its batch: {how}" if how else ""
        raise _refused(Refused(f"{error}{why}"), report) from None


def _refused(error: Refused, report: dict[str, Any]) -> Refused:
    return Refused(str(error), report | {"choice": {"variant": None, "reason": str(error)}})


def _check_others(task: Task, variant: str, pinned: str | None, error: NotServed) -> None:
    """Raises unless another variant can take the place of one that can't be served."""
    if pinned is not None:
        raise Refused(f"the pinned variant {variant} can't be served: {error}") from error
    if variant == REFERENCE:
        raise BadInput(f"{shown(task.folder)}: the model was built, but can't be served: {error}") from error
