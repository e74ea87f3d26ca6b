"""What a task is judged by, sample by sample, so that two variants can be compared in pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Scores = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """`scores` gives a number, or for `classes` label and answer, for each sample; `total` the reported figure."""

    name: str
    higher_is_better: bool
    kind: Literal["proportion", "mean", "root", "classes"]
    scores: Scores
    total: Callable[[np.ndarray], float]

    @property
    def direction(self) -> str:
        return "higher" if self.higher_is_better else "lower"

    def drop(self, reference: float, other: float) -> float:
        """How much worse `other` is; negative where it is better."""
        return reference - other if self.higher_is_better else other - reference

    def misses(self, value: float, limit: float) -> float:
        """By how much a figure lies on the wrong side of its limit; 0 or less where it is right."""
        return self.drop(limit, value)


def custom(scores: Scores, higher_is_better: bool) -> Metric:
    """The mean of what the user's function gives each sample."""
    return Metric("custom", higher_is_better, "mean", scores, _mean)


def class_recalls(pairs: np.ndarray) -> dict[int, float]:
    """Of label and answer (n, 2): the share of each label's samples that is answered right."""
    labels, answers = pairs[:, 0], pairs[:, 1]
    return {int(each): float((answers[labels == each] == each).mean()) for each in np.unique(labels)}


def label_and_answer(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Integer (n, 2)."""
    return np.stack([labels, output.reshape(len(output), -1).argmax(axis=1)], axis=1)


def _correct(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    hit: np.ndarray = output.reshape(len(output), -1).argmax(axis=1) == labels
    return hit.astype(np.float64)


def _squared_error(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    difference = output.reshape(len(output), -1).astype(np.float64) - labels.reshape(len(labels), -1)
    mean: np.ndarray = np.square(difference).mean(axis=1)
    return mean


def _cosine(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    ours, theirs = (each.reshape(len(each), -1).astype(np.float64) for each in (output, labels))
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    similar: np.ndarray = (ours * theirs).sum(axis=1) / np.maximum(norms, 1e-12)
    return similar


def _lowest_recall(pairs: np.ndarray) -> float:
    return min(class_recalls(pairs).values())


def _macro_f1(pairs: np.ndarray) -> float:
    """Mean over the labels of 2 TP / (2 TP + FP + FN)."""
    labels, answers = pairs[:, 0], pairs[:, 1]
    hits = labels == answers
    each = [2 * hits[labels == c].sum() / ((labels == c).sum() + (answers == c).sum()) for c in np.unique(labels)]
    return float(np.mean(each))


def _mean(scores: np.ndarray) -> float:
    return float(scores.mean())


METRICS = {
    each.name: each
    for each in (
        Metric("accuracy", True, "proportion", _correct, _mean),
        Metric("f1", True, "classes", label_and_answer, _macro_f1),
        Metric("recall", True, "classes", label_and_answer, _lowest_recall),
        Metric("rmse", False, "root", _squared_error, lambda scores: float(np.sqrt(scores.mean()))),
        Metric("cosine", True, "mean", _cosine, _mean),
    )
}
