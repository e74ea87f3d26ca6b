"""Whether a model's answer to a sample depends on the other samples of its batch."""

import numpy as np
import onnxruntime as ort

from slipway.pipeline import runtime
from slipway.pipeline.data import Dataset
from slipway.pipeline.tolerance import Tolerance

SAMPLES = 200
SIZE = 32


def depends(
    running: ort.InferenceSession, evaluation: Dataset, together: list[np.ndarray], tolerance: Tolerance
) -> str | None:
    """How the answers of a sample alone, or among others, differ from those `together`; None where they do not.

    Such are layers left in training mode, which normalize by the batch, and dynamic INT8, which has one scale for it.
    """
    if runtime.is_fixed(running):
        return None
    count = len(evaluation)
    chosen = np.unique(np.linspace(0, count - 1, min(count, SAMPLES)).astype(int))
    shuffled = np.random.default_rng(0).permutation(count)[:SAMPLES]
    for at, size in ((chosen, 1), (shuffled, SIZE)):
        inputs = {name: array[at] for name, array in evaluation.inputs.items()}
        found = runtime.predict(running, inputs, size)
        if (reason := tolerance.apart([each[at] for each in together], found, evaluation.labels[at])) is not None:
            return f"{'alone' if size == 1 else 'among others'} {reason}"
    return None
