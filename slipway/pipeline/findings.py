"""The parts of report.json that say what was found of the model itself, and of its classes."""

from typing import Any

import numpy as np

from slipway.pipeline.metrics import METRICS, class_recalls
from slipway.pipeline.scores import label_and_answer
from slipway.pipeline.sources.base import Source
from slipway.pipeline.task import Task


def trained(task: Task, source: Source, figure: float, held_out: float, seconds: float) -> dict[str, Any]:
    """FP32's figure on the data it was trained on beside the held-out one: a large gap is a model that learned by
    heart."""
    return {
        "framework": source.framework,
        "samples": len(task.training),
        "seconds": round(seconds, 2),
        "training": figure,
        "heldOut": held_out,
        "gap": task.metric.drop(figure, held_out),
    }


def by_class(task: Task, outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Of a classification: by variant the recall of each class, and macro F1."""
    if not task.classifies:
        return {}
    return {"recall": _recall(task, outputs), "f1": _f1(task, outputs)}


def _recall(task: Task, outputs: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """The share of a class's held-out samples that is answered right."""
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
