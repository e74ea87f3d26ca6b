"""How a file does on training data: the measure of the search for a mix of precisions."""

import math
from pathlib import Path

import numpy as np

from slipway.pipeline import runtime
from slipway.pipeline.errors import PipelineError
from slipway.pipeline.mixed_precision import Trial
from slipway.pipeline.task import Task

SAMPLES = 500


def trial(task: Task, reference: Path) -> Trial:
    """The drop of a file against FP32 on a part of the training data, which has each class; infinite where it can't be
    run on it."""
    at = np.unique(np.linspace(0, len(task.training) - 1, SAMPLES).astype(int))
    if task.classifies:
        at = np.union1d(at, np.unique(task.training.labels, return_index=True)[1])
    inputs = {name: array[at] for name, array in task.training.inputs.items()}
    labels = task.training.labels[at]

    def figure(path: Path) -> float:
        answers = runtime.predict(runtime.session(path), inputs)
        return task.metric.total(task.metric.score(answers, labels))

    base = figure(reference)

    def drop(path: Path) -> float:
        try:
            found = task.metric.drop(base, figure(path))
        except PipelineError:  # of the user's own metric
            raise
        except Exception:
            return math.inf
        return math.inf if math.isnan(found) else found

    return Trial(inputs, drop, task.settings.budget / 2)
