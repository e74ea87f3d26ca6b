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
    return orjson.dumps(value, _number, orjson.OPT_SERIALIZE_NUMPY)


def _number(value: object) -> Any:
    """orjson knows numpy's numbers by type, and ONNX Runtime's int64 are of another (longlong), as are float16."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
