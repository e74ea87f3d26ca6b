"""What a graph answers to samples alone and together: so it is found how many it takes at once."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline import runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.differences import apart
from slipway.pipeline.guard import words

SAMPLES = 16
BYTES = 2**26  # of what the samples put in; it goes to children and comes back
Outputs = list[np.ndarray]


def few(inputs: Inputs) -> Inputs:
    """A few samples, spread evenly."""
    count = len(next(iter(inputs.values())))
    each = max(1, sum(array[:1].nbytes for array in inputs.values()))
    at = np.unique(np.linspace(0, count - 1, max(3, min(SAMPLES, BYTES // each))).astype(int))
    at = np.resize(at, max(3, len(at)))
    return {name: array[at] for name, array in inputs.items()}


def run_in_parts(path: Path, samples: Inputs) -> dict[Any, Any]:
    """In a child process. By the size of the batch one list of outputs for each run, or the error as text: `1` for
    each sample, 2 and 3 of them, and all; `again`: the first sample once more."""
    running = runtime.session(path, optimized=False, quiet=True)
    count = len(next(iter(samples.values())))

    def run(start: int, size: int) -> Outputs:
        found: Outputs = running.run(None, {name: array[start : start + size] for name, array in samples.items()})
        return found

    ran: dict[Any, Any] = {}
    for key, starts, size in (
        (1, range(count), 1),
        ("again", (0,), 1),
        (2, (0,), 2),
        (3, (0,), 3),
        ("all", (0,), count),
    ):
        try:
            ran[key] = [run(start, size) for start in starts]
        except Exception as error:
            ran[key] = words(error)
    return ran


def takes(path: Path, inputs: Inputs, sizes: tuple[int, ...]) -> int | None:
    """In a child process. The first of some sizes of a batch that the graph can be run with."""
    running = runtime.session(path, optimized=False, quiet=True)
    for size in sizes:
        with contextlib.suppress(Exception):
            running.run(None, {name: np.resize(array, (size, *array.shape[1:])) for name, array in inputs.items()})
            return size
    return None


def why_one(names: list[str], ran: dict[Any, Any]) -> str:
    """Why samples can't share a run, nothing where they can."""
    for size in (2, 3, "all"):
        if isinstance(ran[size], str):
            return f"a batch of one is baked into it ({runtime.shortened(ran[size])})"
    singles, many = ran[1], ran["all"][0]
    for at, name in enumerate(names):
        axis = row_axis(at, ran)
        if axis is None:
            if at == 0 or not is_constant(at, ran):
                return f"its output {name} has not one row for each sample"
            continue
        size = many[at].size // many[at].shape[axis]  # of one sample; a bare text has none of its own
        if any(each[at].size != size for each in singles):
            return f"its output {name} has another size from sample to sample"
    return ""


def row_axis(at: int, ran: dict[Any, Any]) -> int | None:
    """The axis of an output that grows with the batch; None where there is none, or not one for each sample."""
    one, two, three = (ran[size][0][at].shape for size in (1, 2, 3))
    count = len(ran[1])
    many = ran["all"][0][at].shape
    if not len(two) == len(three) == len(many) or len(two) - len(one) not in (0, 1):
        return None
    for axis, sizes in enumerate(zip(two, three, many, strict=True)):
        rest = (*two[:axis], *two[axis + 1 :])
        alone = one if len(one) < len(two) else (*one[:axis], *one[axis + 1 :])
        if sizes == (2, 3, count) and rest == alone and (len(one) < len(two) or one[axis] == 1):
            return axis if len(one) == len(two) or axis == 0 else None
    return None


def is_constant(at: int, ran: dict[Any, Any]) -> bool:
    runs = [*ran[1], ran[2][0], ran[3][0], ran["all"][0]]
    return all(each[at].shape == runs[0][at].shape and not apart(each[at], runs[0][at]) for each in runs)
