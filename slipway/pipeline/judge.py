"""Decides: which variants lie inside the accuracy budget, which are faster beyond noise, which one is served."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slipway.pipeline.confidence import Z95, drop_upper, interval, median_ratio
from slipway.pipeline.errors import BadInput, Refused
from slipway.pipeline.metrics import Metric

MARGIN = 0.03
SMALLEST_FOR_MEAN = 30
HALF = "fp16"
UNMEASURED = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A judged variant. `scores` per sample; `rounds` the median latency in ms of each interleaved round.

    `rounds` is None where the variant is meant for hardware that is not here.
    """

    name: str
    scores: np.ndarray
    rounds: np.ndarray | None
    size: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A candidate against FP32; `ratio` is its latency in FP32's, with 95 % bounds from either side."""

    name: str
    figure: float
    interval: tuple[float, float]
    drop: float
    drop_upper: float
    ratio: tuple[float, float, float]
    size: int
    within_budget: bool

    @property
    def measured(self) -> bool:
        return not math.isnan(self.ratio[1])

    @property
    def faster(self) -> bool:
        return self.ratio[2] < 1 - MARGIN

    @property
    def slower(self) -> bool:
        return self.ratio[0] > 1

    @property
    def note(self) -> str:
        """In a few words why it could not be chosen; empty where it could."""
        if not self.within_budget:
            return "outside the budget"
        if self.ratio == (1.0, 1.0, 1.0):
            return "reference"
        if not self.measured:
            return "unmeasured: its hardware is not here"
        return "slower" if self.slower else "" if self.faster else "not faster beyond noise"


@dataclass(frozen=True)
class Choice:
    variant: str
    reason: str


def verdict(candidate: Candidate, reference: Candidate, metric: Metric, budget: float) -> Verdict:
    """One candidate judged in pairs with FP32, sample by sample and round by round."""
    figure, base = metric.total(candidate.scores), metric.total(reference.scores)
    same = candidate.name == reference.name
    upper = 0.0 if same else drop_upper(metric, reference.scores, candidate.scores)
    return Verdict(
        name=candidate.name,
        figure=figure,
        interval=interval(metric, candidate.scores),
        drop=metric.drop(base, figure),
        drop_upper=upper,
        ratio=(1.0, 1.0, 1.0) if same else _ratio(candidate, reference),
        size=candidate.size,
        within_budget=same or upper <= budget,
    )


def choose(verdicts: Sequence[Verdict], candidates: Sequence[Candidate], pinned: str | None = None) -> Choice:
    """The fastest inside the budget that is really faster than FP32; where two tie, the smaller; else FP32.

    `verdicts` and `candidates` run in parallel, FP32 first. Where speed can't be measured here, FP16 or FP32 by
    accuracy alone: of nothing else is it known beforehand that it is not slower on a GPU. Raises Refused for a pinned
    variant that misses the budget or is slower than FP32.
    """
    reference, others = verdicts[0], verdicts[1:]
    if pinned is not None:
        return _pinned(next(each for each in verdicts if each.name == pinned))
    if any(each.rounds is None for each in candidates):
        return _unmeasured(reference, others)
    good = [each for each in others if each.within_budget and each.faster]
    if not good:
        return Choice(reference.name, "; ".join(map(_why_not, others)) or "nothing else could be made")
    by_name = {each.name: each for each in candidates}
    fastest = min(good, key=lambda each: each.ratio[1])
    tied = [
        each for each in good if each is fastest or _ratio(by_name[each.name], by_name[fastest.name])[0] <= 1 + MARGIN
    ]
    best = min(tied, key=lambda each: (each.size, each.ratio[1]))
    how = "fastest inside the budget" if best is fastest else f"as fast as {fastest.name} and smaller"
    return Choice(best.name, f"{how}: {1 / best.ratio[1]:.2f} times as fast as {reference.name}, {_drop_words(best)}")


def gate(model: str, chosen: Verdict, metric: Metric, limit: float) -> None:
    """Raises Refused where the chosen variant's figure is on the wrong side of the model's own limit."""
    by = metric.misses(chosen.figure, limit)
    if by > 0:
        side, name = ("below", "minimum") if metric.higher_is_better else ("above", "maximum")
        raise Refused(
            f"{model}: {metric.name} {chosen.figure:.4f} of {chosen.name} is {side} the {name} {limit:g} by {by:.4f}; "
            "nothing was stored"
        )


def require_enough(labels: np.ndarray, metric: Metric, budget: float, where: str) -> None:
    """Raises BadInput where so few samples could not show a drop inside the budget even if nothing differed."""
    needed = samples_needed(metric, budget)
    if metric.kind == "classes" or metric.name == "auc":
        classes, counts = np.unique(labels, return_counts=True)
        rarest, samples = classes[counts.argmin()], int(counts.min())
        what = f"{samples} samples of class {rarest}"
    else:
        samples, what = len(labels), f"{len(labels)} samples"
    if samples < needed:
        raise BadInput(
            f"{where} returned {what}; a budget of {budget:g} {metric.name} takes at least {needed} "
            "to decide. Hold out more, or widen the budget in model.yaml"
        )


def samples_needed(metric: Metric, budget: float) -> int:
    """The fewest samples that can decide a budget: where no pair differs, Tango's bound is z²/(n + z²)."""
    if metric.kind in ("mean", "root"):
        return SMALLEST_FOR_MEAN
    return math.ceil(Z95**2 * (1 - budget) / budget) if budget < 1 else 1


def _ratio(ours: Candidate, theirs: Candidate) -> tuple[float, float, float]:
    if ours.rounds is None or theirs.rounds is None:
        return UNMEASURED
    return median_ratio(ours.rounds, theirs.rounds)


def _unmeasured(reference: Verdict, others: Sequence[Verdict]) -> Choice:
    why = "unmeasured: no hardware of its target is here, so accuracy alone decides between fp32 and fp16"
    half = next((each for each in others if each.name == HALF), None)
    if half is None:
        return Choice(reference.name, f"{why}; fp16 could not be made")
    if half.within_budget:
        return Choice(half.name, f"{why}; {_drop_words(half)}")
    return Choice(reference.name, f"{why}; {_why_not(half)}")


def _pinned(verdict: Verdict) -> Choice:
    if not verdict.within_budget:
        raise Refused(f"the pinned variant {verdict.name} misses the accuracy budget: {_drop_words(verdict)}")
    if verdict.slower:
        raise Refused(
            f"the pinned variant {verdict.name} is slower than fp32: it takes {verdict.ratio[1]:.2f} times as long"
        )
    return Choice(verdict.name, "pinned")


def _why_not(verdict: Verdict) -> str:
    if not verdict.within_budget:
        return f"{verdict.name} is not shown to lie inside the budget ({_drop_words(verdict)})"
    if verdict.slower:
        return f"{verdict.name} is slower ({verdict.ratio[1]:.2f} times as long)"
    return f"{verdict.name} is not faster beyond noise ({1 / verdict.ratio[1]:.2f} times as fast)"


def _drop_words(verdict: Verdict) -> str:
    return f"drop {verdict.drop:.4f}, at most {verdict.drop_upper:.4f} with 95 % confidence"
