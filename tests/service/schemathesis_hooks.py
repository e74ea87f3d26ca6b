"""What Schemathesis can't derive: bytes that are a tensor of the tests' classifier, four finite numbers a sample."""

import io

import numpy as np
import schemathesis
from hypothesis import strategies

numbers = strategies.floats(-1e6, 1e6, width=32)
samples = strategies.lists(strategies.lists(numbers, min_size=4, max_size=4), min_size=1, max_size=8)
tensors = samples.map(lambda rows: np.array(rows, np.float32))


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


schemathesis.openapi.media_type("application/octet-stream", tensors.map(np.ndarray.tobytes))
schemathesis.openapi.media_type("application/x-npy", tensors.map(saved))
