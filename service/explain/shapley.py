"""Which values of a sample its answer comes from: Shapley values by sampled permutations.

One walk takes a background sample, swaps the sample's own values in, group by group in random order, and credits each
group with what the answer changes by (Štrumbelj and Kononenko 2014, Knowl. Inf. Syst. 41, algorithm 1); a second walk
in the opposite order halves the noise (Mitchell et al. 2022, JMLR 23, section 4.1). Whatever was sampled, the credits
add up to the answer less the mean answer to the backgrounds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

MOST_GROUPS = 64
PAIRS = 64  # of walks, where there is time for them
_CHANNELS = 4  # an axis of at most so many values belongs to a pixel; longer ones are places
_SEED = 7

Arrays = dict[str, np.ndarray]
# The answer's one number for each sample of a batch.
Value = Callable[[Arrays], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Credits:
    """`credits`: for each input an array of a sample's shape, of a text one number a word. `error`: their standard
    error, as a root mean square; None if unknown, as one pair of walks alone tells nothing of the noise. `baseline`:
    what they start from. `evaluations`: samples that the model answered."""

    credits: Arrays
    baseline: float
    error: float | None
    evaluations: int


class Sample:
    """One sample (no batch axis) and what stands in for its values: `background` has several of each input.

    A single text falls into words that are left out; everything else into groups of neighbouring values.
    """

    def __init__(self, inputs: Mapping[str, np.ndarray], background: Mapping[str, np.ndarray]) -> None:
        self.inputs, self.background = dict(inputs), dict(background)
        cell = next(iter(self.inputs.values()))
        self.words: list[str] = []
        if len(self.inputs) == 1 and cell.dtype.kind == "O" and cell.size == 1:
            self.words = str(cell.item()).split()
        # Where values are places, as in an image, a mean stands in; of a table, training rows one after the other.
        self.backgrounds = 1 if self.words else min(map(len, self.background.values()))

    def groups(self, turn: int) -> tuple[Arrays, int]:
        """For each input the number of each value's group, and how many groups there are; grids shift by `turn`."""
        owners: Arrays = {}
        count = 0
        for name, array in self.inputs.items():
            owner = _blocks(len(self.words)) if self.words else _grid(array.shape, turn)
            owners[name] = owner + count
            count += int(owner.max()) + 1
        return owners, count

    def mixed(self, owners: Arrays, kept: np.ndarray, background: int) -> Arrays:
        """A batch, one sample for each row of `kept`, which tells of each group whether the sample's values are kept;
        the others are those of a background."""
        if self.words:
            ((name, owner),) = owners.items()
            texts = [" ".join(word for word, at in zip(self.words, owner, strict=True) if row[at]) for row in kept]
            return {name: np.array(texts, object).reshape(len(kept), *self.inputs[name].shape)}
        return {
            name: np.where(kept[:, owner], self.inputs[name], self.background[name][background]).astype(
                self.inputs[name].dtype
            )
            for name, owner in owners.items()
        }


def shapley(sample: Sample, value: Value, seconds: float) -> Credits:
    """Shapley values from as many pairs of walks as `seconds` allow, at most PAIRS and at least one."""
    generator, end = np.random.default_rng(_SEED), monotonic() + seconds
    found: list[Arrays] = []
    baselines: list[float] = []
    evaluations = 0
    while len(found) < PAIRS and (not found or monotonic() < end):
        owners, count = sample.groups(len(found))
        rank = generator.permutation(count)
        steps = np.arange(count + 1)[:, None]
        kept = np.concatenate([rank < steps, (count - 1 - rank) < steps])
        values = value(sample.mixed(owners, kept, len(found) % sample.backgrounds))
        there, back = np.diff(values[: count + 1]), np.diff(values[count + 1 :])
        found.append(_spread(owners, (there[rank] + back[count - 1 - rank]) / 2))
        baselines.append(float(values[0]))
        evaluations += len(values)
    credits = {name: np.mean([each[name] for each in found], axis=0) for name in found[0]}
    return Credits(credits=credits, baseline=float(np.mean(baselines)), error=_error(found), evaluations=evaluations)


def occlusion(sample: Sample, value: Value, _seconds: float) -> Credits:
    """What the answer loses with each group left out alone, on one background: quick, adds up to nothing, and how far
    another background would tell otherwise is unknown."""
    owners, count = sample.groups(0)
    kept = np.concatenate([~np.eye(count, dtype=bool), np.ones((1, count), bool), np.zeros((1, count), bool)])
    *without, whole, baseline = value(sample.mixed(owners, kept, 0))
    return Credits(
        credits=_spread(owners, whole - np.array(without)), baseline=float(baseline), error=None, evaluations=len(kept)
    )


METHODS: dict[str, Callable[[Sample, Value, float], Credits]] = {"shapley": shapley, "occlusion": occlusion}


def is_places(shape: tuple[int, ...]) -> bool:
    """Whether a sample's values lie beside each other, as pixels do."""
    return sum(size > _CHANNELS for size in shape) > 1


def _grid(shape: tuple[int, ...], turn: int) -> np.ndarray:
    """The group of each value: blocks along each axis, so that there are about MOST_GROUPS; half a block further every
    other turn, on one axis after the other, which draws the picture finer than the blocks."""
    places = [axis for axis, size in enumerate(shape) if size > _CHANNELS] if is_places(shape) else range(len(shape))
    most = max(2, round(MOST_GROUPS ** (1 / max(1, len(places)))))
    owner, count = np.zeros(shape, int), 1
    for order, axis in enumerate(places):
        width = -(-shape[axis] // most)
        shift = width // 2 if is_places(shape) and (turn >> order) & 1 else 0
        numbers = (np.arange(shape[axis]) + shift) // width
        owner = owner * (int(numbers[-1]) + 1) + numbers.reshape([-1 if at == axis else 1 for at in range(len(shape))])
        count *= int(numbers[-1]) + 1
    return owner


def _blocks(size: int) -> np.ndarray:
    return np.arange(size) // -(-size // MOST_GROUPS)


def _spread(owners: Arrays, credits: np.ndarray) -> Arrays:
    """A group's credit in equal parts on its values."""
    sizes = np.bincount(np.concatenate([owner.ravel() for owner in owners.values()]), minlength=len(credits))
    return {name: (credits / sizes)[owner] for name, owner in owners.items()}


def _error(found: list[Arrays]) -> float | None:
    if len(found) < 2:
        return None
    squares: Any = [np.var([each[name] for each in found], axis=0, ddof=1).ravel() / len(found) for name in found[0]]
    return float(np.sqrt(np.mean(np.concatenate(squares))))
