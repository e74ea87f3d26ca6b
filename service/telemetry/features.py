"""What of an input is watched for drift: a few numbers of each sample. Training and serving compute the same."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

MOST_COLUMNS = 64
BINS = 10
MOST_CATEGORIES = 50
RARE = 5  # samples; a value that fewer training samples have is not written into the artifact
_REFERENCE = 50_000  # samples are enough to know a share of a tenth to a hundredth of itself


def features(array: np.ndarray) -> dict[str, np.ndarray]:
    """Name and one number a sample, NaN where it is missing; `array` has the batch first.

    A table's columns each; of an image or another wide input the mean and the spread of a sample's values; of texts
    that are no categories their length.
    """
    if array.dtype.kind in "OUS":
        rows = array.reshape(len(array), -1)  # a sample may be a bare text
        return {"length": np.array([sum(map(len, map(str, row))) for row in rows], np.float64)}
    flat = array.reshape(len(array), -1).astype(np.float64)
    if array.ndim <= 2 and flat.shape[1] <= MOST_COLUMNS:
        return {f"column {index}": flat[:, index] for index in range(flat.shape[1])}
    return {"mean": flat.mean(axis=1), "spread": flat.std(axis=1)}


def words(array: np.ndarray) -> dict[str, np.ndarray]:
    """Of texts (n,) or (n, k) each column by name, as it may hold categories; nothing of anything else."""
    if array.dtype.kind not in "OUS" or array.ndim > 2:
        return {}
    rows = array.reshape(len(array), -1)
    if rows.shape[1] == 1:
        return {"category": rows[:, 0]}
    return {f"column {index}": rows[:, index] for index in range(min(rows.shape[1], MOST_COLUMNS))}


def reference(array: np.ndarray) -> list[dict[str, Any]]:
    """What statistics.json holds of an input: each feature's inner bin edges, or categories, and the training data's
    counts.

    The bins hold about a tenth of the training data each, fewer where many values are equal; the last count is that
    of missing values. A column of texts has categories where few values make up nearly all of it; its last count is
    that of all others. Texts without such a column are watched by their length.
    """
    if len(array) > _REFERENCE:
        array = array[np.random.default_rng(0).choice(len(array), _REFERENCE, replace=False)]
    found = [feature for name, values in words(array).items() if (feature := _categories(name, values)) is not None]
    if found:
        return found
    for name, values in features(array).items():
        known = values[np.isfinite(values)]
        quantiles = np.quantile(known, np.arange(1, BINS) / BINS) if known.size else np.zeros(0)
        edges = np.unique(quantiles)
        found.append({"name": name, "edges": edges.tolist(), "counts": counts(values, edges).tolist()})
    return found


def tallies(values: np.ndarray, categories: Sequence[str]) -> np.ndarray:
    """How many texts are each category, and last how many are none of them."""
    seen = Counter(map(str, values))
    known = [seen[each] for each in categories]
    return np.array([*known, len(values) - sum(known)])


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many values lie in each bin, and last how many are missing."""
    missing = ~np.isfinite(values)
    found = np.bincount(np.searchsorted(edges, values[~missing], side="right"), minlength=len(edges) + 1)
    return np.append(found, missing.sum())


def _categories(name: str, values: np.ndarray) -> dict[str, Any] | None:
    """None where the values are too many, or too seldom alike, to be categories."""
    seen = Counter(map(str, values))
    common = sorted(each for each, count in seen.items() if count >= RARE)
    if not 0 < len(common) <= MOST_CATEGORIES or sum(seen[each] for each in common) < 0.9 * len(values):
        return None
    return {"name": name, "categories": common, "counts": tallies(values, common).tolist()}
