"""JSON requests that hold one tensor of numbers, read without a Python list for each of its rows."""

import re

import numpy as np
import orjson
from slipway.service.artifact import Signature

_SPACE = b" \t\n\r"
_NUMBERS = b"0123456789.eE+-" + _SPACE
_BLANKED = bytes.maketrans(b"[]", b"  ")
# A bracket that opens and holds no number before the next comma or end; a number behind a bracket that closes.
_HOLLOW = re.compile(rb"\[[ \t\n\r]*[,\]]")
_BEHIND = re.compile(rb"\][ \t\n\r]*[^ \t\n\r,\]]")


class NumberReader:
    """Reads `{"inputs": {name: nested lists}}` for a model with one input of numbers and fixed sizes.

    The text of such a tensor less its numbers is the same for every sample, so that one comparison proves its shape,
    and with brackets blanked the numbers are one flat list. A row of one number, as images have, costs most otherwise.
    What it reads is exactly JSON: three looks together leave a number no place but its own.
    """

    def __init__(self, signature: Signature) -> None:
        spec = signature.inputs[0]
        self._frame: dict[str, dict[str, list[float]]] = {"inputs": {spec.name: []}}
        self._sizes = [size for size in spec.shape[1:] if size is not None]
        # Bytes of a body below which lists are as quick, measured: rows of one number make them slow sooner.
        self.least = 500 if self._sizes[-1:] == [1] else 2000
        fixed = len(self._sizes) == len(spec.shape) - 1
        self._is_usable = len(signature.inputs) == 1 and fixed and spec.dtype not in ("string", "bool")
        self._dtype = np.dtype(spec.dtype if self._is_usable else "float32")
        self._sample = b""
        for size in reversed(self._sizes):
            self._sample = b"[" + b",".join([self._sample] * size) + b"]"

    def read(self, body: bytes) -> np.ndarray | None:
        """The tensor, with a batch axis if the request has one; None where a closer look is needed."""
        if not self._is_usable or len(body) < self.least:
            return None
        start, end = body.find(b"["), body.rfind(b"]") + 1
        if start < 0:
            return None
        text = body[start:end]
        # First, brackets and commas are those of the shape, in order.
        skeleton = text.translate(None, _NUMBERS)
        count = (len(skeleton) - 1) // (len(self._sample) + 1)
        single = skeleton == self._sample
        if not single and (count < 1 or skeleton != b"[" + b",".join([self._sample] * count) + b"]"):
            return None
        # Second, no number stands on the wrong side of a bracket.
        if _is_astray(text, self._sizes[-1] if self._sizes else count):
            return None
        try:
            if orjson.loads(b"%b[]%b" % (body[:start], body[end:])) != self._frame:
                return None
            # Third, there is one number between two commas.
            flat = orjson.loads(b"[%b]" % text.translate(_BLANKED))
            if self._dtype.kind != "f" and set(map(type, flat)) != {int}:
                return None
            with np.errstate(over="ignore"):  # what becomes Infinity is refused by the validation
                return np.array(flat, self._dtype).reshape(self._sizes if single else [count, *self._sizes])
        except (ValueError, OverflowError):
            return None


def _is_astray(text: bytes, row: int) -> bool:
    """Whether a number of `text`, one between two commas, is outside of its brackets. `row`: numbers in the innermost.

    A number that is missing from its place leaves two brackets or a bracket and a comma beside each other.
    """
    if row == 1:  # all have brackets of their own, so that looking at each would take long
        spaced = any(space in text for space in _SPACE)  # which takes less than to delete none
        return (text.translate(None, _SPACE) if spaced else text).rfind(b"[]") >= 0
    return _HOLLOW.search(text) is not None or _BEHIND.search(text) is not None
