"""Figures of the training data, for the signature's ranges and for telling drift later."""

from typing import Any

import numpy as np

from service.pipeline.data import Inputs

BINS = 20


def statistics(training: Inputs) -> dict[str, Any]:
    """Per input mean, std, min, max, a histogram over all values and the share that is missing.

    Null where an input holds no numbers.
    """
    return {"inputs": {name: _of(array) for name, array in training.items()}}


def _of(array: np.ndarray) -> dict[str, Any] | None:
    if array.dtype.kind not in "fiub":
        return None
    every = array.astype(np.float64).ravel()
    values = every[~np.isnan(every)]
    if not values.size:
        return None
    counts, edges = np.histogram(values, bins=BINS)
    return {
        "samples": len(array),
        "missing": 1 - values.size / every.size,
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
