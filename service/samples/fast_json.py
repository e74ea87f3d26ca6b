"""JSON requests that hold one tensor of numbers, read without a Python list for each of its rows."""

import numpy as np
import orjson
from slipway.service.artifact import Signature

_NUMBERS = b"0123456789.eE+- \t\n\r"
_BLANKED = bytes.maketrans(b"[]", b"  ")


class NumberReader:
    """Reads `{"inputs": {name: nested lists}}` for a model with one input of numbers and fixed sizes.

    The text of such a tensor less its numbers is the same for every sample, so that one comparison proves its shape,
    and with brackets blanked the numbers are one flat list. A row of one number, as images have, costs most otherwise.
    """

    def __init__(self, signature: Signature) -> None:
        spec = signature.inputs[0]
        self._frame = {"inputs": {spec.name: 0}}
        self._sizes = [size for size in spec.shape[1:] if size is not None]
        fixed = len(self._sizes) == len(spec.shape) - 1
        self._is_usable = len(signature.inputs) == 1 and fixed and spec.dtype not in ("string", "bool")
        self._dtype = np.dtype(spec.dtype if self._is_usable else "float32")
        self._sample = b""
        for size in reversed(self._sizes):
            self._sample = b"[" + b",".join([self._sample] * size) + b"]"

    def read(self, body: bytes) -> np.ndarray | None:
        """The tensor, with a batch axis if the request has one; None where a closer look is needed."""
        start, end = body.find(b"["), body.rfind(b"]") + 1
        if not self._is_usable or start < 0:
            return None
        text = body[start:end]
        skeleton = text.translate(None, _NUMBERS)
        count = (len(skeleton) - 1) // (len(self._sample) + 1)
        single = skeleton == self._sample
        if not single and skeleton != b"[" + b",".join([self._sample] * count) + b"]":
            return None
        try:
            if orjson.loads(b"%b0%b" % (body[:start], body[end:])) != self._frame:
                return None
            flat = orjson.loads(b"[%b]" % text.translate(_BLANKED))
            if self._dtype.kind != "f" and set(map(type, flat)) != {int}:
                return None
            with np.errstate(over="ignore"):  # what becomes Infinity is refused by the validation
                return np.array(flat, self._dtype).reshape(self._sizes if single else [count, *self._sizes])
        except (ValueError, OverflowError):
            return None
