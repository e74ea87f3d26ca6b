"""How far two answers to the same samples may lie apart, by the kind of variant."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slipway.pipeline.metrics import Metric

# FP32 and FP16: another order of additions. INT8 rounds an activation to one of 256 steps, so a last bit of the input
# can move an answer by a step: there the label and the metric count.
RELATIVE = 1e-3
SAME_LABELS = 0.995
UNJUDGED = 0.05  # of an output that no metric judges: its error in its spread, or the share of samples that differ
Numbers = Callable[[np.ndarray, np.ndarray], str | None]


@dataclass(frozen=True)
class Tolerance:
    """Of one variant's answers. `labels`: of all samples that are compared, for the metric."""

    variant: str
    task: str
    metric: Metric
    budget: float

    def apart(self, expected: list[np.ndarray], found: list[np.ndarray], labels: np.ndarray) -> str | None:
        """How `found` differs from `expected` beyond the tolerance, in words; None where it does not.

        Both hold each output, batch first. INT8: the same label for 99.5 % of the samples, the metric inside the
        budget. Else: numbers within 0.1 % of the output's largest, everything else equal for 99.5 %.
        """
        if self.variant.startswith("int8"):
            if (
                self.task == "classification"
                and (share := _same(_labels(expected[0]), _labels(found[0]))) < SAME_LABELS
            ):
                return f"the label is the same for {share:.1%} of the samples only"
            for at in range(1, 1 if self.metric.outputs else len(expected)):
                if (reason := unlike(expected[at], found[at])) is not None:
                    return f"output {at} {reason}"
        else:
            for at, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
                if (reason := _differs(ours, theirs)) is not None:
                    return f"output {at} {reason}" if len(expected) > 1 else f"the answer {reason}"
        figures = [self.metric.total(self.metric.score(each, labels)) for each in (expected, found)]
        if (drop := self.metric.drop(*figures)) > self.budget:
            return f"{self.metric.name} is {figures[1]:.4f} in place of {figures[0]:.4f}, a drop of {drop:.4f}"
        return None


def unlike(source: np.ndarray, found: np.ndarray) -> str | None:
    """How an output that no metric judges is off FP32's, in words; None where the root of its mean square error is
    within 5 % of its spread, or, where it is not numbers with a fraction, 95 % of the samples are equal."""
    return _compared(source, found, 1 - UNJUDGED, _off)


def _differs(ours: np.ndarray, theirs: np.ndarray) -> str | None:
    return _compared(ours, theirs, SAME_LABELS, _far)


def _compared(ours: np.ndarray, theirs: np.ndarray, least: float, numbers: Numbers) -> str | None:
    """In words how two arrays differ: fractions by `numbers`, of everything else at least a share is equal."""
    if ours.shape != theirs.shape:
        return f"has shape {list(theirs.shape)} in place of {list(ours.shape)}"
    if ours.dtype == object and len(ours) and isinstance(ours[0], np.ndarray):  # samples of different shapes
        each = (_compared(one, other, least, numbers) for one, other in zip(ours, theirs, strict=True))
        return next(filter(None, each), None)
    if ours.dtype.kind != "f":
        share = _same(ours, theirs)
        return f"is the same for {share:.1%} of the samples only" if share < least else None
    return numbers(ours.astype(np.float64), theirs.astype(np.float64))


def _off(one: np.ndarray, other: np.ndarray) -> str | None:
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return "has NaN or infinity in other places"
    error, known = np.nan_to_num(one - other), one[np.isfinite(one)]
    spread = float(known.std()) if known.size else 0.0
    off = float(np.sqrt(np.square(error).mean())) if error.size else 0.0
    least = RELATIVE * float(np.abs(known).max(initial=0))
    if off <= max(UNJUDGED * spread, least):
        return None
    return f"is off by {off / spread:.1%} of its spread" if spread else f"is off by {off:.3g} and does not vary"


def _far(one: np.ndarray, other: np.ndarray) -> str | None:
    largest = float(np.abs(np.nan_to_num(one)).max(initial=0))
    if np.allclose(one, other, rtol=RELATIVE, atol=RELATIVE * largest, equal_nan=True):
        return None
    return f"differs by up to {float(np.nanmax(np.abs(one - other))):.3g}, its largest number is {largest:.3g}"


def _labels(output: np.ndarray) -> np.ndarray:
    labels: np.ndarray = output.reshape(len(output), -1).argmax(axis=1)
    return labels


def _same(ours: np.ndarray, theirs: np.ndarray) -> float:
    count = len(ours)
    if ours.shape != theirs.shape or not count:
        return 0.0 if ours.shape != theirs.shape else 1.0
    return float((ours.reshape(count, -1) == theirs.reshape(count, -1)).all(axis=1).mean())
