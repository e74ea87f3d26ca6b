"""What each variant answers to the held-out samples, as it will be served."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnxruntime as ort

from slipway.pipeline import runtime
from slipway.pipeline.checks import check_answers
from slipway.pipeline.company import depends
from slipway.pipeline.data import Dataset
from slipway.pipeline.errors import BadInput, PipelineError
from slipway.pipeline.graph import reason
from slipway.pipeline.task import Task
from slipway.pipeline.tolerance import unlike
from slipway.pipeline.variants import REFERENCE, Variant

Outputs = list[np.ndarray]
ALONE = "samples run one at a time, as an answer depends on its batch"


@dataclass
class Answers:
    """By variant. `outputs`: to all held-out samples, as it is served; `specs`: of its inputs and outputs; `alone`: how
    its answers depend on the batch, where they do, so that samples are run one at a time. `together`: FP32's outputs in
    batches, however it is served; `training`: FP32's figure on the training data."""

    outputs: dict[str, Outputs] = field(default_factory=dict)
    specs: dict[str, runtime.Specs] = field(default_factory=dict)
    alone: dict[str, str] = field(default_factory=dict)
    together: Outputs = field(default_factory=list)
    training: float = 0.0


def answered(task: Task, variants: list[Variant]) -> tuple[list[Variant], Answers]:
    """Loads each variant once. One that can't answer, or not in numbers, was not made: its reason is in its note, as is
    that for running samples one at a time.

    Raises BadInput where that is FP32, or where its answers do not belong to the labels.
    """
    answers = Answers()
    return [each if each.path is None else _noted(task, each, each.path, answers) for each in variants], answers


def _noted(task: Task, variant: Variant, path: Path, answers: Answers) -> Variant:
    try:
        running = runtime.session(path)
        _answer(task, variant.name, running, answers)
    except PipelineError:
        raise
    except Exception as error:
        why = reason(error, path)
        if variant.name == REFERENCE:
            raise _not_run(task.evaluation, why) from error
        return replace(variant, path=None, note=f"not made: {why}")
    if variant.name not in answers.alone:
        return variant
    note = f"{ALONE}: {answers.alone[variant.name]}"
    return replace(variant, note="; ".join(filter(None, (variant.note, note))))


def _answer(task: Task, name: str, running: ort.InferenceSession, answers: Answers) -> None:
    """Notes nothing of a variant before all is well with it."""
    inputs, metric = task.evaluation.inputs, task.metric
    names, together = [each.name for each in running.get_outputs()], runtime.predict(running, inputs)
    if name == REFERENCE:
        check_answers(together[0], task.settings, task.evaluation, task.highest, task.labels, task.folder, names)
        answers.together = together
    elif together[0].dtype.kind == "f" and not np.isfinite(together[0]).all():
        raise ValueError("it answers NaN or infinity")
    how = depends(running, task.evaluation, together, task.tolerance(name))
    outputs = together if how is None else runtime.predict(running, inputs, 1)
    if name != REFERENCE and not metric.outputs:
        _check_unjudged(names, answers.outputs[REFERENCE], outputs)
    answers.outputs[name], answers.specs[name] = outputs, runtime.specs(running)
    if how is not None:
        answers.alone[name] = how
    if name == REFERENCE:
        output = _on_training(task, running, 1 if how else runtime.CHUNK)
        answers.training = metric.total(metric.score(output, task.training.labels))


def _check_unjudged(names: list[str], source: Outputs, found: Outputs) -> None:
    """Raises ValueError for an output that no metric judges and that is not FP32's."""
    for name, ours, theirs in list(zip(names, source, found, strict=True))[1:]:
        if (how := unlike(ours, theirs)) is not None:
            raise ValueError(f"its output {name}, which no metric judges, {how}")


def _on_training(task: Task, running: ort.InferenceSession, size: int) -> Outputs:
    try:
        return runtime.predict(running, task.training.inputs, size)
    except Exception as error:
        raise _not_run(task.training, runtime.shortened(" ".join(str(error).split()))) from error


def _not_run(data: Dataset, why: str) -> BadInput:
    return BadInput(f"ONNX Runtime can't run the model on {data.where}: {why}")
