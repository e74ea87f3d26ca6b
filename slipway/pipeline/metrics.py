"""What a task is judged by, sample by sample, so that two variants can be compared in pairs."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from slipway.pipeline import scores as of
from slipway.pipeline.errors import BadInput
from slipway.pipeline.scores import label_and_answer
from slipway.pipeline.settings import Settings

Scores = Callable[[Any, np.ndarray], np.ndarray]
UNLIKE = 10  # times


@dataclass(frozen=True)
class Metric:
    """`scores` gives a number, or for `classes` label and answer, for each sample; `total` the reported figure.

    A custom metric of the whole set has samples of label and output instead: see `scores.together`. `outputs`: their
    names, where a custom metric gets all of them by name and not the judged one alone.
    """

    name: str
    higher_is_better: bool
    kind: Literal["proportion", "mean", "root", "classes"]
    scores: Scores
    total: Callable[[np.ndarray], float]
    outputs: tuple[str, ...] = ()

    def score(self, answers: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
        """The scores of a model's answers, each output (n, ...), the judged one first."""
        judged = dict(zip(self.outputs, answers, strict=True)) if self.outputs else answers[0]
        return self.scores(judged, labels)

    @property
    def direction(self) -> str:
        return "higher" if self.higher_is_better else "lower"

    def drop(self, reference: float, other: float) -> float:
        """How much worse `other` is; negative where it is better."""
        return reference - other if self.higher_is_better else other - reference

    def misses(self, value: float, limit: float) -> float:
        """By how much a figure lies on the wrong side of its limit; 0 or less where it is right."""
        return self.drop(limit, value)


def named(name: str) -> Metric:
    """The metric of a name that model.yaml may give, but custom: `top-5` and `f2` say their own number."""
    if name in METRICS:
        return METRICS[name]
    if match := re.fullmatch(r"top-(\d+)", name):
        return Metric(name, True, "proportion", partial(of.among_first, count=int(match[1])), _mean)
    return Metric(name, True, "classes", label_and_answer, partial(_macro_f, beta=float(name.removeprefix("f"))))


def custom(function: Callable[[Any, np.ndarray], Any], higher_is_better: bool) -> Metric:
    """What the user's function says of outputs and labels: a number for each sample, whose mean counts, or one number
    for all of them, which is asked for again with every resample."""

    def scores(output: np.ndarray | dict[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
        found = np.asarray(function(output, labels))
        return found.astype(np.float64) if found.ndim else of.together(output, labels)

    def total(scores: np.ndarray) -> float:
        return (
            float(function(of.apart(scores["output"]), scores["label"])) if is_of_the_whole(scores) else _mean(scores)
        )

    return Metric("custom", higher_is_better, "mean", scores, total)


def of_all(metric: Metric, settings: Settings, outputs: Sequence[str]) -> Metric:
    """The metric of a model with these outputs: a custom one gets all of several by name, unless `output:` in
    model.yaml says which one is judged."""
    several = metric.name == "custom" and len(outputs) > 1 and settings.output is None
    return replace(metric, outputs=tuple(outputs)) if several else metric


def is_of_the_whole(scores: np.ndarray) -> bool:
    """Whether these are samples of a figure that is no mean of what each of them adds."""
    return scores.dtype.names is not None


def check_labels(metric: str, labels: np.ndarray, where: str) -> None:
    """Raises BadInput for labels on which the metric is not defined."""
    if metric == "mape" and (zeros := np.argwhere(labels == 0)).size:
        raise BadInput(
            f"{where}: labels holds 0, first in sample {int(zeros[0][0])}; mape is an error as a share of the label. "
            "Write metric: mae or rmse in model.yaml"
        )
    if metric == "auc" and len(np.unique(labels)) < 2:
        raise BadInput(f"{where}: all labels are {labels[0]}; auc takes samples of two classes or more")
    if metric == "r2" and (np.ptp(labels, axis=0) == 0).any():
        raise BadInput(f"{where}: all labels are alike; r2 takes labels that vary. Write metric: rmse in model.yaml")
    if metric in ("rmse", "mae") and labels.ndim == 2 and labels.shape[1] > 1:
        spreads = labels.std(axis=0)
        low, high = spreads[spreads > 0].min(initial=np.inf), spreads.max()
        if high > UNLIKE * low:
            raise BadInput(
                f"{where}: labels has targets with spreads from {low:.3g} to {high:.3g}, and one {metric} would be "
                "that of the largest alone. Write metric: r2 in model.yaml, whose mean counts each alike, or custom"
            )


def class_recalls(pairs: np.ndarray) -> dict[int, float]:
    """Of label and answer (n, 2): the share of each label's samples that is answered right."""
    labels, answers = pairs[:, 0], pairs[:, 1]
    return {int(each): float((answers[labels == each] == each).mean()) for each in np.unique(labels)}


def _lowest_recall(pairs: np.ndarray) -> float:
    return min(class_recalls(pairs).values())


def _macro_f(pairs: np.ndarray, beta: float) -> float:
    """Mean over the labels of (1 + b²) TP / ((1 + b²) TP + b² FN + FP): recall counts b times as much as precision."""
    labels, answers = pairs[:, 0], pairs[:, 1]
    hits, square = labels == answers, beta * beta
    each = [
        (1 + square) * hits[labels == c].sum() / (square * (labels == c).sum() + (answers == c).sum())
        for c in np.unique(labels)
    ]
    return float(np.mean(each))


def _mean(scores: np.ndarray) -> float:
    return float(scores.mean())


METRICS = {
    each.name: each
    for each in (
        Metric("accuracy", True, "proportion", of.correct, _mean),
        Metric("recall", True, "classes", label_and_answer, _lowest_recall),
        Metric("f1", True, "classes", label_and_answer, partial(_macro_f, beta=1)),
        Metric("auc", True, "mean", of.area, _mean),
        Metric("log-loss", False, "mean", of.log_loss, _mean),
        Metric("rmse", False, "root", of.squared_error, lambda scores: float(np.sqrt(scores.mean()))),
        Metric("mae", False, "mean", of.absolute_error, _mean),
        Metric("mape", False, "mean", of.share_of_error, _mean),
        Metric("r2", True, "mean", of.explained, _mean),
        Metric("cosine", True, "mean", of.cosine, _mean),
    )
}
