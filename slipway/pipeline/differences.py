"""How far two answers to the same inputs lie apart."""

from collections.abc import Iterator
from typing import Any

import numpy as np

TOLERANCE = 1e-3
COARSE = {"float16": 1e-2, "int8": 1.0, "uint8": 1.0}  # one step of so few bits; of floats a share of the largest


def apart(theirs: np.ndarray, ours: np.ndarray) -> str:
    """How two answers to the same inputs differ; nothing where they are alike: numbers within a tolerance of their
    largest, text exactly."""
    if theirs.shape != ours.shape:
        return f"shape {list(ours.shape)} for {list(theirs.shape)}"
    if ours.dtype.kind not in "fiub":
        different = sum(bool(apart(a, b)) if isinstance(a, np.ndarray) else a != b for a, b in _pairs(theirs, ours))
        return f"{different} of {ours.size} values" if different else ""
    if not ours.size:
        return ""
    found = distances(theirs, ours)
    finite = np.abs(theirs[np.isfinite(theirs)]) if theirs.dtype.kind == "f" else np.abs(theirs.astype(np.float64))
    scale = max(1.0, float(finite.max(initial=0.0)))
    limit = max(TOLERANCE * scale, COARSE.get(str(ours.dtype), 0.0) * (scale if ours.dtype.kind == "f" else 1))
    return "" if float(found.max()) <= limit else f"up to {float(found.max()):.3g}, more than {limit:.3g}"


def distances(theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Absolute differences: 0 where both are NaN or the same infinity, infinite where one is."""
    with np.errstate(invalid="ignore", over="ignore"):
        a, b = theirs.astype(np.float64), ours.astype(np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        found: np.ndarray = np.where(same, 0.0, np.nan_to_num(np.abs(a - b), nan=np.inf, posinf=np.inf))
    return found


def _pairs(theirs: np.ndarray, ours: np.ndarray) -> Iterator[tuple[Any, Any]]:
    return zip(theirs.ravel(), ours.ravel(), strict=True)
