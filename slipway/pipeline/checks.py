"""What must hold between a model, its data and its conversion before anything is judged."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slipway.pipeline.data import Dataset, Inputs
from slipway.pipeline.differences import TOLERANCE, apart, distances
from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.settings import Settings

if TYPE_CHECKING:
    from slipway.pipeline.sources.base import Source

CHANCE = 1e-6


def check_answers(
    output: np.ndarray,
    settings: Settings,
    evaluation: Dataset,
    highest: int,
    labels: Any,
    folder: Path,
    names: list[str],
) -> None:
    """The judged output, the first of `names`, against the labels. Raises BadInput where they can't belong together."""
    where, file = evaluation.where, shown(folder / "model.py" if (folder / "model.py").exists() else folder)
    if len(output) != len(evaluation):
        raise BadInput(f"{file}: the model answers {len(output)} values for {len(evaluation)} samples")
    remedy = f". Of its outputs {', '.join(names)} name the judged one in model.yaml, as output" if names[1:] else ""
    if output.dtype.kind not in "fiub":
        raise BadInput(f"{file}: the model's output {names[0]} holds text or lists, and no numbers to judge{remedy}")
    if not np.isfinite(output).all():
        raise BadInput(f"{file}: the model answers NaN or infinity on the evaluation data")
    width = int(np.prod(output.shape[1:]))
    if settings.task != "classification":
        if width != int(np.prod(evaluation.labels.shape[1:])):
            shapes = f"labels have shape {list(evaluation.labels.shape)}, the model answers {list(output.shape)}"
            raise BadInput(f"{where}: {shapes}{remedy}")
        return
    if width < 2:
        raise BadInput(
            f"{file}: the model answers {width} value a sample; classification takes one for each class{remedy}"
        )
    if output.ndim != 2 and settings.metric != "custom":
        raise BadInput(
            f"{file}: the model answers shape {list(output.shape[1:])} a sample; classification takes one number for "
            f"each class. Write metric: custom, and a function metric() for answers of another shape{remedy}"
        )
    if highest >= width:
        raise BadInput(f"{where}: labels go up to class {highest}; the model knows {width} classes, 0 to {width - 1}")
    if labels is not None and len(labels) != width:
        raise BadInput(f"{file}: labels() names {len(labels)} classes; the model knows {width}")
    if settings.metric == "log-loss" and (output.min() < -TOLERANCE or output.max() > 1 + TOLERANCE):
        found = f"{output.min():.3g} to {output.max():.3g}"
        raise BadInput(f"{file}: log-loss takes probabilities; the model answers {found}. Leave out scores: raw")
    if settings.metric.startswith("top-") and int(settings.metric.removeprefix("top-")) >= width:
        raise BadInput(f"metric: {settings.metric} is always right of {width} classes; write a smaller number")


def overlap(training: Dataset, evaluation: Dataset) -> int:
    """How many held-out samples were trained on as well, inputs alike to the last bit.

    Raises BadInput where all of them were, and that is no chance: nothing then is held out. Of samples with few
    distinct rows, as of three yes-or-no questions, all are seen in an honest training set too. How likely a new one is
    to be seen is told by the rows that training holds once (I. Good, Biometrika 40 (1953) 237-264).
    """
    counts = Counter(_hashes(training.inputs))
    found = _hashes(evaluation.inputs)
    seen = sum(each in counts for each in found)
    new = sum(count == 1 for count in counts.values()) / len(training)
    if seen == len(found) and (1 - new) ** len(found) < CHANCE:
        raise BadInput(f"{evaluation.where} returned the training data; hold out samples that training never sees")
    return seen


def _hashes(inputs: Inputs) -> list[bytes]:
    count = len(next(iter(inputs.values())))
    samples = ([_bytes(array[at : at + 1]) for array in inputs.values()] for at in range(count))
    return [hashlib.blake2b(b"".join(each)).digest() for each in samples]


def _bytes(sample: np.ndarray) -> bytes:
    return "\0".join(map(str, sample.ravel())).encode() if sample.dtype.kind in "OU" else sample.tobytes()


def conversion(source: Source, inputs: Inputs, answers: list[np.ndarray]) -> dict[str, float]:
    """How far the FP32 variant is from the source on the same inputs. Raises BadInput beyond TOLERANCE."""
    largest, total, count = 0.0, 0.0, 0
    try:
        wanted = source.predict(inputs)
    except Exception as error:
        text = " ".join(str(error).split())[:400]
        raise BadInput(
            f"{source.framework} can't answer the evaluation data: {type(error).__name__}: {text}"
        ) from error
    for theirs, ours in zip(wanted, answers, strict=False):  # a model beside its graph may answer the first alone
        if theirs.shape != ours.shape and (theirs.size != ours.size or len(theirs) != len(ours)):
            raise BadInput(f"{source.framework} answers shape {list(theirs.shape)}, its conversion {list(ours.shape)}")
        if difference := apart(theirs.reshape(ours.shape), ours):
            raise BadInput(f"the converted model differs from {source.framework} by {difference}")
        if ours.dtype.kind in "fiub" and ours.size:
            each = distances(theirs.reshape(ours.shape), ours)
            largest, total, count = max(largest, float(each.max())), total + float(each.sum()), count + ours.size
    return {"maxAbsDiff": largest, "meanAbsDiff": total / max(count, 1)}
