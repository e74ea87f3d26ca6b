"""Whether what is asked still looks like the training data: PSI and KS of each feature, over a sliding window.

The population stability index sums (p - q) ln(p / q) over the bins. Where both samples are of one distribution,
PSI / (1/n + 1/N) has a chi-squared distribution with bins - 1 degrees of freedom (B. Yurdakul, "Statistical properties
of population stability index", 2018), which gives the alarm's limit; 0.1 is the customary size worth a look.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np
from slipway.service.telemetry.features import counts, features, tallies, words
from slipway.service.telemetry.shared_counters import SharedCounters

WINDOW = 500  # samples of one process; what is told is of the last one to two windows
FEWEST = 200
FALSE_ALARMS = 1e-4  # in one look at all features together, where nothing has changed
WORTH_A_LOOK = 0.1


@dataclass(frozen=True)
class Feature:
    """How far a feature is from its training data. `limit`: the PSI above which it counts as drifted. `other`: of
    categories the share of samples in none that training knows; None of numbers."""

    input: str
    name: str
    samples: int
    psi: float
    ks: float
    limit: float
    other: float | None = None

    @property
    def drifted(self) -> bool:
        return self.samples >= FEWEST and self.psi > self.limit


@dataclass(frozen=True)
class _Watched:
    """`counted`: the counts of its values by bin or category, as long as `training`."""

    input: str
    name: str
    categories: bool
    counted: Callable[[np.ndarray], np.ndarray]
    training: np.ndarray


class Drift:
    """Two windows of counts for each feature of the inputs, shared with the workers beside this one."""

    def __init__(self, statistics: Mapping[str, Any]) -> None:
        """`statistics`: the artifact's; inputs without features in it are not watched."""
        self._watched = [
            _watched(name, each)
            for name, of_input in (statistics.get("inputs") or {}).items()
            for each in (of_input or {}).get("features") or ()
        ]
        sizes = [len(each.training) for each in self._watched]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        # This window's counts, then the last one's.
        self._total = int(self._starts[-1])
        self._cells = SharedCounters(max(1, 2 * self._total))
        self._cells.array[:] = 0  # of a worker that died, whose place this one takes
        self._seen = 0

    def add(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Count samples, batch first."""
        if not self._watched:
            return
        found = {name: {**features(array), **words(array)} for name, array in inputs.items()}
        mine = self._cells.array
        for each, start in zip(self._watched, self._starts, strict=False):
            values = found.get(each.input, {}).get(each.name)
            if values is not None:
                mine[start : start + len(each.training)] += each.counted(values)
        self._seen += len(next(iter(inputs.values())))
        if self._seen >= WINDOW:
            mine[self._total :] = mine[: self._total]
            mine[: self._total] = 0
            self._seen = 0

    def report(self) -> list[Feature]:
        """Every watched feature over the last windows of all living workers."""
        if not self._watched:
            return []
        summed = self._cells.sum(living=True)
        seen = summed[: self._total] + summed[self._total :]
        level = 1 - FALSE_ALARMS / len(self._watched)
        return [
            _compared(each, seen[start : start + len(each.training)], level)
            for each, start in zip(self._watched, self._starts, strict=False)
        ]


def _watched(name: str, feature: Mapping[str, Any]) -> _Watched:
    categories = feature.get("categories")
    counted = (
        partial(counts, edges=np.array(feature["edges"]))
        if categories is None
        else partial(tallies, categories=categories)
    )
    return _Watched(name, feature["name"], categories is not None, counted, np.array(feature["counts"], float))


def _compared(watched: _Watched, seen: np.ndarray, level: float) -> Feature:
    """Counts by bin against the training data's; the limit is passed by chance with probability 1 - `level`."""
    training = watched.training
    n, reference = seen.sum(), training.sum()
    # Half a count more in each bin: the logarithm of an empty one has no value.
    p, q = ((each + 0.5) / (each.sum() + 0.5 * len(each)) for each in (seen, training))
    psi = float(((p - q) * np.log(p / q)).sum())
    used = int(((seen + training) > 0).sum())
    chance = chi_squared(level, max(1, used - 1)) * (1 / max(1.0, n) + 1 / max(1.0, reference))
    ks = float(np.abs(np.cumsum(p - q)).max())
    other = float(seen[-1] / max(1.0, n)) if watched.categories else None
    return Feature(watched.input, watched.name, int(n), psi, ks, max(WORTH_A_LOOK, chance), other)


def chi_squared(level: float, degrees: int) -> float:
    """The quantile, by Wilson and Hilferty's approximation (1 to 7 % too high this far out, which is the safe side)."""
    z, share = NormalDist().inv_cdf(level), 2 / (9 * degrees)
    return float(degrees * (1 - share + z * share**0.5) ** 3)
