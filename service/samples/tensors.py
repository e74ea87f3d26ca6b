"""Tensors as bytes: raw little-endian, .npy, and the length-prefixed strings of the Open Inference Protocol."""

import io
import sys
from math import prod

import numpy as np
from slipway.service.artifact import TensorSpec
from slipway.service.errors import Refused
from slipway.service.numbers import MOST_AXES, shape, whole

_PREFIX = 4
# numpy reads a header by evaluating Python literals; one that describes a tensor is far shorter than this.
_LONGEST_HEADER = 1000
# Version 3 differs in names of fields alone, which no tensor has.
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}


def from_raw(body: bytes, spec: TensorSpec, written: bytes | None) -> np.ndarray:
    """The tensor in `body`; its shape as `written`, such as b"2,28,28", may be left out where only the batch is open.

    One sample's bytes are one sample without a batch axis. Raises Refused (400).
    """
    dtype = np.dtype(spec.dtype)
    if written is not None:
        return tensor(body, dtype, _sizes(written, spec), spec.name)
    each = spec.shape[1:]
    size = prod(each_size for each_size in each if each_size is not None) * dtype.itemsize
    if None in each:
        message = f"{spec.name}: give its shape in the header x-tensor-shape, such as 1,{','.join('8' for _ in each)}"
        raise Refused(400, "missing_shape", message, field=spec.name)
    if not body or len(body) % size:
        message = f"{spec.name}: {len(body)} bytes, a sample has {size}"
        raise Refused(400, "wrong_size", message, field=spec.name)
    sizes = [each_size for each_size in each if each_size is not None]
    return tensor(body, dtype, sizes if len(body) == size else [len(body) // size, *sizes], spec.name)


def from_npy(body: bytes, spec: TensorSpec) -> np.ndarray:
    """The array of an .npy file; its dtype may be any but Python's objects. Raises Refused (400)."""
    stream = io.BytesIO(body)
    try:
        read = _READERS[np.lib.format.read_magic(stream)]
        found, fortran, dtype = read(stream, max_header_size=_LONGEST_HEADER)
    except Exception:  # numpy raises whatever evaluating the header raises, and quotes it
        message = f"the body is not .npy of version 1 to 3 with a header of at most {_LONGEST_HEADER:,} bytes"
        raise Refused(400, "malformed_npy", message) from None
    sizes = shape(found)
    if sizes is None:
        raise Refused(400, "wrong_shape", f"{spec.name}: no array has this shape", field=spec.name)
    content = body[stream.tell() :]
    if fortran:
        flipped = tensor(content, dtype, sizes[::-1], spec.name).transpose()
        return np.ascontiguousarray(flipped)
    return tensor(content, dtype, sizes, spec.name)


def tensor(content: bytes, dtype: np.dtype, sizes: list[int], name: str) -> np.ndarray:
    """An array of exactly these bytes; `sizes` are within limits.

    Raises Refused (400) where dtype, shape and length do not agree.
    """
    if dtype.kind not in "fiub":
        raise Refused(400, "wrong_type", f"{name}: {str(dtype)[:100]} has no binary form here", field=name)
    expected = prod(sizes) * dtype.itemsize
    if len(content) != expected:
        found = "x".join(map(str, sizes)) or "a single value"
        message = f"{name}: {len(content)} bytes, {found} of {dtype} has {expected}"
        raise Refused(400, "wrong_size", message, field=name)
    array = np.frombuffer(content, np.uint8 if dtype.kind == "b" else dtype).reshape(sizes)
    if dtype.kind == "b":
        if array.size and array.max() > 1:
            raise Refused(400, "wrong_type", f"{name}: a byte of {dtype} is neither 0 nor 1", field=name)
        return array.view(bool)
    return array if array.flags.aligned else array.copy()


def strings(content: bytes, sizes: list[int], name: str) -> np.ndarray:
    """An array of strings, each a 4-byte little-endian length and so many bytes of UTF-8. Raises Refused (400)."""
    texts: list[str] = []
    at = 0
    try:
        while at < len(content):
            end = at + _PREFIX + int.from_bytes(content[at : at + _PREFIX], "little")
            if end > len(content):
                raise ValueError("a string is cut off")
            texts.append(content[at + _PREFIX : end].decode())
            at = end
        return np.array(texts, object).reshape(sizes)
    except ValueError as error:
        raise Refused(400, "wrong_size", f"{name}: {error}", field=name) from None


def to_raw(array: np.ndarray) -> bytes:
    """Little-endian bytes; strings with their lengths."""
    if array.dtype.kind == "O":
        texts = [str(text).encode() for text in array.ravel()]
        return b"".join(len(text).to_bytes(_PREFIX, "little") + text for text in texts)
    return (array if sys.byteorder == "little" else array.astype(array.dtype.newbyteorder("<"))).tobytes()


def to_npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def _sizes(written: bytes, spec: TensorSpec) -> list[int]:
    sizes = shape([whole(part.strip(), sys.maxsize) for part in written.split(b",", MOST_AXES)])
    if sizes is None:
        message = f"x-tensor-shape: expected sizes such as 1,{','.join('8' for _ in spec.shape[1:])}"
        raise Refused(400, "wrong_shape", message, field=spec.name)
    return sizes
