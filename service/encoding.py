"""From values to JSON."""

from typing import Any

import numpy as np
import orjson


def plain(values: Any) -> Any:
    """What orjson takes: it knows neither arrays of strings nor float16."""
    kind = getattr(values, "dtype", np.dtype(object))
    if kind == np.float16:
        return values.astype(np.float32)
    return values.tolist() if kind.kind == "O" and isinstance(values, np.ndarray) else values


def encode(value: object) -> bytes:
    """JSON bytes; numpy arrays and numbers in the shortest form that reads back the same in their own type."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
