"""numpy arrays as the Open Inference Protocol's bytes, by a model's signature, and back."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import SlipwayError, WrongInput

LENGTH = "inference-header-content-length"
_DATATYPES = {
    "bool": "BOOL",
    "string": "BYTES",
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
    **{f"{kind}int{bits}": f"{kind.upper()}INT{bits}" for kind in ("", "u") for bits in (8, 16, 32, 64)},
}
_NUMPY = {text: np.dtype(object if name == "string" else name).newbyteorder("<") for name, text in _DATATYPES.items()}

Arrays = dict[str, np.ndarray]


def fitted(inputs: Any, specs: list[dict[str, Any]]) -> tuple[Arrays, bool]:
    """`inputs` as arrays of the declared dtypes with a batch axis, and whether they were one sample without one.

    A model with one input takes it without its name. Raises WrongInput; numbers are made narrower, never whole.
    """
    names = [spec["name"] for spec in specs]
    given = inputs if isinstance(inputs, Mapping) else dict(zip(names, [inputs], strict=len(names) == 1))
    if set(given) != set(names):
        raise WrongInput(f"the model takes {', '.join(names)}; given are {', '.join(map(str, given)) or 'none'}")
    arrays = {spec["name"]: _array(given[spec["name"]], spec) for spec in specs}
    single = {arrays[spec["name"]].ndim == len(spec["shape"]) - 1 for spec in specs}
    if len(single) > 1:
        raise WrongInput("some inputs are one sample, others a batch")
    arrays = {name: array[np.newaxis] if True in single else array for name, array in arrays.items()}
    if len({len(array) for array in arrays.values()}) > 1:
        raise WrongInput("the inputs have different numbers of samples")
    return arrays, True in single


def encode(arrays: Arrays, specs: list[dict[str, Any]]) -> tuple[bytes, dict[str, str]]:
    """A request's body and headers; the outputs are asked for as bytes as well."""
    parts = [_to_bytes(arrays[spec["name"]]) for spec in specs]
    listed = [
        {
            "name": spec["name"],
            "datatype": _DATATYPES[spec["dtype"]],
            "shape": list(arrays[spec["name"]].shape),
            "parameters": {"binary_data_size": len(part)},
        }
        for spec, part in zip(specs, parts, strict=True)
    ]
    head = json.dumps({"inputs": listed, "parameters": {"binary_data_output": True}}).encode()
    headers = {"content-type": "application/octet-stream", LENGTH: str(len(head))}
    return b"".join([head, *parts]), headers


def decode(body: bytes, length: str | None) -> Arrays:
    """The outputs of an answer, batch first; they can be written to."""
    try:
        at = int(length) if length else len(body)
        found: Arrays = {}
        for entry in json.loads(body[:at])["outputs"]:
            size = entry.get("parameters", {}).get("binary_data_size")
            dtype = _NUMPY[entry["datatype"]]
            if size is None:
                found[entry["name"]] = np.array(entry["data"], dtype).reshape(entry["shape"])
                continue
            part = body[at : at + size]
            flat: Any = np.array(_texts(part), object) if dtype.kind == "O" else np.frombuffer(part, dtype)
            found[entry["name"]] = flat.reshape(entry["shape"]).copy()
            at += size
        return found
    except (KeyError, TypeError, ValueError) as error:
        raise SlipwayError(f"the answer can't be read: {error!r}") from error


def _array(value: Any, spec: dict[str, Any]) -> np.ndarray:
    name, shape = spec["name"], spec["shape"]
    dtype = np.dtype(object if spec["dtype"] == "string" else spec["dtype"])
    try:
        array = np.asarray(value, None if isinstance(value, np.ndarray) else dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise WrongInput(f"{name}: {error}") from None
    text = array.dtype.kind in "OUS"
    if text != (dtype.kind == "O") or not (text or np.can_cast(array.dtype, dtype, "same_kind")):
        raise WrongInput(f"{name}: the model takes {spec['dtype']}, given is {array.dtype}")
    wanted = shape if array.ndim == len(shape) else shape[1:]
    if array.ndim != len(wanted) or any(want not in (None, size) for want, size in zip(wanted, array.shape)):  # noqa: B905
        raise WrongInput(f"{name}: a sample is {_sizes(shape[1:])}, given is {_sizes(array.shape)}")
    return np.ascontiguousarray(array, dtype).reshape(array.shape)  # a single number would come back as a row


def _sizes(shape: Any) -> str:
    return "x".join("N" if size is None else str(size) for size in shape) or "a single value"


def _to_bytes(array: np.ndarray) -> bytes:
    if array.dtype.kind == "O":
        texts = [str(text).encode() for text in array.ravel()]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _texts(part: bytes) -> list[str]:
    found, at = [], 0
    while at < len(part):
        end = at + 4 + int.from_bytes(part[at : at + 4], "little")
        found.append(part[at + 4 : end].decode())
        at = end
    return found
