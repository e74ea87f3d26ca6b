"""What of an input is watched for drift: a few numbers of each sample. Training and serving compute the same."""

from typing import Any

import numpy as np

MOST_COLUMNS = 64
BINS = 10
_REFERENCE = 50_000  # samples are enough to know a share of a tenth to a hundredth of itself


def features(array: np.ndarray) -> dict[str, np.ndarray]:
    """Name and one number a sample, NaN where it is missing; `array` has the batch first.

    A table's columns each; of an image or another wide input the mean and the spread of a sample's values; of texts
    their length.
    """
    if array.dtype.kind in "OUS":
        rows = array.reshape(len(array), -1)  # a sample may be a bare text
        return {"length": np.array([sum(map(len, map(str, row))) for row in rows], np.float64)}
    flat = array.reshape(len(array), -1).astype(np.float64)
    if array.ndim <= 2 and flat.shape[1] <= MOST_COLUMNS:
        return {f"column {index}": flat[:, index] for index in range(flat.shape[1])}
    return {"mean": flat.mean(axis=1), "spread": flat.std(axis=1)}


def reference(array: np.ndarray) -> list[dict[str, Any]]:
    """What statistics.json holds of an input: each feature's inner bin edges and the training data's counts.

    The bins hold about a tenth of the training data each, fewer where many values are equal; the last count is that
    of missing values.
    """
    if len(array) > _REFERENCE:
        array = array[np.random.default_rng(0).choice(len(array), _REFERENCE, replace=False)]
    found = []
    for name, values in features(array).items():
        known = values[np.isfinite(values)]
        quantiles = np.quantile(known, np.arange(1, BINS) / BINS) if known.size else np.zeros(0)
        edges = np.unique(quantiles)
        found.append({"name": name, "edges": edges.tolist(), "counts": counts(values, edges).tolist()})
    return found


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many values lie in each bin, and last how many are missing."""
    missing = ~np.isfinite(values)
    found = np.bincount(np.searchsorted(edges, values[~missing], side="right"), minlength=len(edges) + 1)
    return np.append(found, missing.sum())
