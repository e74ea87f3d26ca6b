"""Whether a model's answer to a sample depends on the other samples of its batch."""

from pathlib import Path

import numpy as np

from slipway.pipeline import runtime
from slipway.pipeline.data import Dataset, Inputs
from slipway.pipeline.errors import BadInput
from slipway.pipeline.tolerance import Tolerance

SAMPLES = 200
SIZE = 32


def depends(path: Path, evaluation: Dataset, together: list[np.ndarray], tolerance: Tolerance) -> str | None:
    """How the answers of a sample alone, or among others, differ from those `together`; None where they do not.

    Such are layers left in training mode, which normalize by the batch, and dynamic INT8, which has one scale for it.
    """
    running = runtime.session(path)
    count = len(evaluation)
    chosen = np.unique(np.linspace(0, count - 1, min(count, SAMPLES)).astype(int))
    shuffled = np.random.default_rng(0).permutation(count)[:SAMPLES]
    for at, size in ((chosen, 1), (shuffled, SIZE)):
        inputs = {name: array[at] for name, array in evaluation.inputs.items()}
        found = runtime.predict(running, inputs, size)
        if (reason := tolerance.apart([each[at] for each in together], found, evaluation.labels[at])) is not None:
            return f"{'alone' if size == 1 else 'among others'} {reason}"
    return None


def check_rows(model: bytes, inputs: Inputs, where: str) -> None:
    """Raises BadInput naming an output that has not one row for each sample, tried with one and with two of them."""
    running = runtime.session(model)
    names = [each.name for each in running.get_outputs()]
    fixed = any(isinstance(each.shape[0], int) for each in running.get_inputs())
    for count in (1,) if fixed else (1, 2):
        outputs = running.run(None, {name: array[:count] for name, array in inputs.items()})
        for name, values in zip(names, outputs, strict=True):
            shape = list(np.shape(values))
            if not shape or shape[0] != count:
                samples = "one sample" if count == 1 else f"{count} samples"
                raise BadInput(
                    f"{where}: the model's output {name} has shape {shape} for {samples}, and must have one row for "
                    "each: leave the output out, or pad it to a fixed size"
                )
