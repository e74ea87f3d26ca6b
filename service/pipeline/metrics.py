"""What a task is judged by, sample by sample, so that two variants can be compared in pairs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Metric:
    """`scores` gives one number a sample; `total` makes the reported figure of them."""

    name: str
    higher_is_better: bool
    scores: Callable[[np.ndarray, np.ndarray], np.ndarray]
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


def _correct(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    hit: np.ndarray = output.reshape(len(output), -1).argmax(axis=1) == labels
    return hit.astype(np.float64)


def _squared_error(output: np.ndarray, labels: np.ndarray) -> np.ndarray:
    difference = output.reshape(len(output), -1).astype(np.float64) - labels.reshape(len(labels), -1)
    mean: np.ndarray = np.square(difference).mean(axis=1)
    return mean


METRICS = {
    "accuracy": Metric("accuracy", True, _correct, lambda scores: float(scores.mean())),
    "rmse": Metric("rmse", False, _squared_error, lambda scores: float(np.sqrt(scores.mean()))),
}
