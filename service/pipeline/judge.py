"""Decides: which variants lie inside the accuracy budget, which are faster beyond noise, which one is served."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.pipeline.errors import BadInput, Refused
from service.pipeline.metrics import Metric

Z95 = 1.6448536269514722
MARGIN = 0.03
SMALLEST_FOR_MEAN = 30


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A measured variant. `scores` per sample; `rounds` the median latency in ms of each interleaved round."""

    name: str
    scores: np.ndarray
    rounds: np.ndarray
    size: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A candidate against FP32; `ratio` is its latency in FP32's, with 95 % bounds from either side."""

    name: str
    figure: float
    drop: float
    drop_upper: float
    ratio: tuple[float, float, float]
    size: int
    within_budget: bool

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
        drop=metric.drop(base, figure),
        drop_upper=upper,
        ratio=(1.0, 1.0, 1.0) if same else median_ratio(candidate.rounds, reference.rounds),
        size=candidate.size,
        within_budget=same or upper <= budget,
    )


def choose(verdicts: Sequence[Verdict], candidates: Sequence[Candidate], pinned: str | None = None) -> Choice:
    """The fastest inside the budget that is really faster than FP32; where two tie, the smaller; else FP32.

    `verdicts` and `candidates` run in parallel, FP32 first. Raises Refused for a pinned variant that misses the
    budget or is slower than FP32.
    """
    reference, others = verdicts[0], verdicts[1:]
    if pinned is not None:
        return _pinned(next(each for each in verdicts if each.name == pinned))
    good = [each for each in others if each.within_budget and each.faster]
    if not good:
        return Choice(reference.name, "; ".join(map(_why_not, others)) or "nothing else could be made")
    rounds = {each.name: each.rounds for each in candidates}
    fastest = min(good, key=lambda each: each.ratio[1])
    tied = [
        each
        for each in good
        if each is fastest or median_ratio(rounds[each.name], rounds[fastest.name])[0] <= 1 + MARGIN
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


def require_enough(samples: int, metric: Metric, budget: float, where: str) -> None:
    """Raises BadInput where so few samples could not show a drop inside the budget even if nothing differed."""
    needed = samples_needed(metric, budget)
    if samples < needed:
        raise BadInput(
            f"{where} returned {samples} samples; a budget of {budget:g} {metric.name} takes at least {needed} "
            "to decide. Hold out more, or widen the budget in model.yaml"
        )


def samples_needed(metric: Metric, budget: float) -> int:
    """The fewest samples that can decide a budget: where no pair differs, Tango's bound is z²/(n + z²)."""
    if not metric.higher_is_better:
        return SMALLEST_FOR_MEAN
    return math.ceil(Z95**2 * (1 - budget) / budget) if budget < 1 else 1


def drop_upper(metric: Metric, reference: np.ndarray, variant: np.ndarray) -> float:
    """One-sided 95 % upper bound of how much worse the variant is, from paired per-sample scores (n,)."""
    if metric.name == "accuracy":
        lost = int(((reference == 1) & (variant == 0)).sum())
        won = int(((reference == 0) & (variant == 1)).sum())
        return paired_difference_upper(lost, won, len(reference))
    difference = variant - reference
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    mean = float(reference.mean())
    return math.sqrt(max(mean + float(difference.mean()) + Z95 * error, 0.0)) - math.sqrt(mean)


def paired_difference_upper(lost: int, won: int, samples: int) -> float:
    """Upper end of the one-sided 95 % score interval of a difference between paired proportions.

    `lost` pairs are right before and wrong after, `won` the other way round. T. Tango, Statistics in Medicine 17
    (1998) 891-908: the difference at which the score statistic reaches -z. Never of zero width: without any
    differing pair it is z²/(n + z²).
    """

    def statistic(difference: float) -> float:
        b = -lost - won + (2 * samples - lost + won) * difference
        c = -won * difference * (1 - difference)
        likely = (math.sqrt(max(b * b - 8 * samples * c, 0.0)) - b) / (4 * samples)
        variance = samples * (2 * likely + difference * (1 - difference))
        excess = lost - won - samples * difference
        return excess / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, excess)

    low, high = (lost - won) / samples, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if statistic(middle) > -Z95 else (low, middle)
    return high


def median_ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Median of paired ratios between one-sided 95 % bounds: order statistics by the sign test, free of a model."""
    ratios = np.sort(ours / theirs)
    count = len(ratios)
    tail, rank = 0.0, count
    while rank > 0 and (tail := tail + math.comb(count, rank) / 2**count) <= 0.05:
        rank -= 1
    upper = ratios[rank] if rank < count else math.inf
    lower = ratios[count - 1 - rank] if rank < count else 0.0
    return float(lower), float(np.median(ratios)), float(upper)


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
