"""How sure a figure is: bounds of a paired drop, intervals of a metric, bounds of a latency ratio."""

import math
from collections.abc import Iterator

import numpy as np

from slipway.pipeline.metrics import Metric, is_of_the_whole

Z95 = 1.6448536269514722
TWO_SIDED = 1.959963984540054
RESAMPLES = 1000
RESAMPLES_OF_THE_WHOLE = 200


def drop_upper(metric: Metric, reference: np.ndarray, variant: np.ndarray) -> float:
    """One-sided 95 % upper bound of how much worse the variant is, from paired per-sample scores (n, ...).

    Shares of right answers: Tango's score interval. Means and their roots: the normal bound of the mean of paired
    differences. F1 and recall: paired bootstrap, never below what no difference at all could show. A custom figure of
    the whole set: paired bootstrap.
    """
    if metric.kind == "proportion":
        lost = int(((reference == 1) & (variant == 0)).sum())
        won = int(((reference == 0) & (variant == 1)).sum())
        return paired_difference_upper(lost, won, len(reference))
    if metric.kind == "classes" or is_of_the_whole(reference):
        drops = [metric.drop(metric.total(reference[at]), metric.total(variant[at])) for at in _resamples(reference)]
        upper = float(np.quantile(drops, 0.95))
        if is_of_the_whole(reference):
            return upper
        smallest = int(np.unique(reference[:, 0], return_counts=True)[1].min())
        return max(upper, paired_difference_upper(0, 0, smallest))
    difference = variant - reference if not metric.higher_is_better else reference - variant
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    worst = float(difference.mean()) + Z95 * error
    if metric.kind == "mean":
        return worst
    mean = float(reference.mean())
    return math.sqrt(max(mean + worst, 0.0)) - math.sqrt(mean)


def interval(metric: Metric, scores: np.ndarray) -> tuple[float, float]:
    """Two-sided 95 % interval of the figure: Wilson's for shares, else the bootstrap's percentiles."""
    if metric.kind == "proportion":
        n, p, z2 = len(scores), float(scores.mean()), TWO_SIDED**2
        half = TWO_SIDED * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return (p + z2 / (2 * n) - half) / (1 + z2 / n), (p + z2 / (2 * n) + half) / (1 + z2 / n)
    low, high = np.quantile([metric.total(scores[at]) for at in _resamples(scores)], [0.025, 0.975])
    return float(low), float(high)


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


def _resamples(scores: np.ndarray) -> Iterator[np.ndarray]:
    """Places of samples drawn with replacement; of a whole set with classes as many of each class as there are, as a
    figure like the area under a curve takes all of them, and fewer draws, as it is the user's own Python."""
    generator, count = np.random.default_rng(0), len(scores)
    if not is_of_the_whole(scores):
        for _ in range(RESAMPLES):
            yield generator.integers(0, count, count)
        return
    labels = scores["label"]
    strata = [np.flatnonzero(labels == each) for each in np.unique(labels)] if labels.dtype.kind == "i" else []
    for _ in range(RESAMPLES_OF_THE_WHOLE):
        yield np.concatenate([generator.choice(each, len(each)) for each in strata or [np.arange(count)]])
