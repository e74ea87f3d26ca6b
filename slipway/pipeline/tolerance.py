"""How far two answers to the same samples may lie apart, by the kind of variant."""

from dataclasses import dataclass

import numpy as np

from slipway.pipeline.metrics import Metric

# FP32 and FP16: another order of additions. INT8 rounds an activation to one of 256 steps, so a last bit of the input
# can move an answer by a step: there the label and the metric count.
RELATIVE = 1e-3
SAME_LABELS = 0.995
UNJUDGED = 0.05  # of an output that no metric judges: its error in its spread, or the share of samples that differ


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
    if source.shape != found.shape:
        return f"has shape {list(found.shape)} in place of {list(source.shape)}"
    if source.dtype == object and len(source) and isinstance(source[0], np.ndarray):  # samples of different shapes
        return next(filter(None, map(unlike, source, found)), None)
    if source.dtype.kind != "f":
        share = _same(source, found)
        return f"is the same for {share:.1%} of the samples only" if share < 1 - UNJUDGED else None
    one, other = source.astype(np.float64), found.astype(np.float64)
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return "has NaN or infinity in other places"
    error, known = np.nan_to_num(one - other), one[np.isfinite(one)]
    spread = float(known.std()) if known.size else 0.0
    off, least = (
        float(np.sqrt(np.square(error).mean())) if error.size else 0.0,
        RELATIVE * float(np.abs(known).max(initial=0)),
    )
    return f"is off by {off / spread:.1%} of its spread" if off > max(UNJUDGED * spread, least) else None


def _differs(ours: np.ndarray, theirs: np.ndarray) -> str | None:
    if ours.shape != theirs.shape:
        return f"has shape {list(theirs.shape)} in place of {list(ours.shape)}"
    if ours.dtype == object and len(ours) and isinstance(ours[0], np.ndarray):  # samples of different shapes
        return next(filter(None, map(_differs, ours, theirs)), None)
    if ours.dtype.kind != "f":
        share = _same(ours, theirs)
        return f"is the same for {share:.1%} of the samples only" if share < SAME_LABELS else None
    one, other = ours.astype(np.float64), theirs.astype(np.float64)
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
