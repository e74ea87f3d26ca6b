"""Figures of the training data, for the signature's ranges and for telling drift later."""

from typing import Any

import numpy as np

from slipway.pipeline.data import Inputs
from slipway.service.telemetry.features import reference

BINS = 20


def statistics(training: Inputs) -> dict[str, Any]:
    """Per input mean, std, min, max, a histogram over all values and the share that is missing.

    And what is watched while the model serves (`features`). Of an input that holds no numbers only that.
    """
    return {"inputs": {name: _of(array) | {"features": reference(array)} for name, array in training.items()}}


def _of(array: np.ndarray) -> dict[str, Any]:
    if array.dtype.kind not in "fiub":
        return {}
    every = array.astype(np.float64).ravel()
    values = every[~np.isnan(every)]
    if not values.size:
        return {}
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
