"""The ways to call a service: each writes samples as a request and reads the answer's outputs back."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

import numpy as np

from slipway.pipeline.data import Inputs
from slipway.pipeline.service_process import NotServed, TooSlow
from slipway.service.artifact import Signature, TensorSpec

SECONDS = 60.0
LENGTH = "inference-header-content-length"
JSON, RAW, NPY = "application/json", "application/octet-stream", "application/x-npy"

Headers = dict[str, str]
Arrays = list[np.ndarray]  # the outputs in the signature's order, batch first


@dataclass(frozen=True)
class Wire:
    """`request` makes path, headers and body from a batch; `answer` reads the outputs, batch first.

    `tensors`: takes one input of numbers and one such output only.
    """

    request: Callable[[Signature, Inputs], tuple[str, Headers, bytes]]
    answer: Callable[[Signature, Headers, bytes, bool], Arrays]
    tensors: bool = False


class Caller:
    """A connection to a service on this machine, kept open between calls; for one thread."""

    def __init__(self, port: int, signature: Signature) -> None:
        self._http, self._signature = HTTPConnection("127.0.0.1", port, timeout=SECONDS), signature

    def limits(self) -> dict[str, int]:
        """The most `samples` and `bytes` of one request."""
        _, body = self._exchanged("GET", "/v2", {}, b"")
        limits: dict[str, int] = json.loads(body)["service"]["limits"]
        return limits

    def predict(self, name: str, inputs: Inputs) -> Arrays:
        """The outputs for a batch by the wire `name`; a batch of one goes as a single sample where the wire has a form
        for it. Raises NotServed for anything but an answer with one row a sample, TooSlow where the service ran out of
        time."""
        wire = WIRES[name]
        count = len(next(iter(inputs.values())))
        headers, body = self._exchanged("POST", *wire.request(self._signature, inputs))
        try:
            outputs = wire.answer(self._signature, headers, body, count == 1)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise NotServed(f"{name}: the answer can't be read: {error!r}") from error
        for spec, values in zip(self._signature.outputs, outputs, strict=True):
            if len(values) != count:
                raise NotServed(f"{name}: {spec.name} has {len(values)} rows for {count} samples")
        return outputs

    def close(self) -> None:
        self._http.close()

    def _exchanged(self, method: str, path: str, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        try:
            self._http.request(method, path, body or None, headers)
            response = self._http.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            raise NotServed(f"{method} {path} got no answer: {error!r}") from error
        if response.status != 200:
            raise (TooSlow if response.status == 504 else NotServed)(
                f"{path} answered {response.status}: {_words(content)}"
            )
        return {name.lower(): value for name, value in response.getheaders()}, content


def wires_of(signature: Signature, inputs: Inputs) -> list[str]:
    """The wires that can carry `inputs` to this model."""
    both = (*signature.inputs, *signature.outputs)
    tensors = len(both) == 2 and all(spec.dtype != "string" for spec in both)
    missing = any(array.dtype.kind == "f" and np.isnan(array).any() for array in inputs.values())
    return [name for name, wire in WIRES.items() if (tensors or not wire.tensors) and not (missing and name == "v2")]


def _words(content: bytes) -> str:
    try:
        told = json.loads(content)
        error = told.get("error", told)
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, AttributeError):
        return content[:300].decode(errors="replace")


def _json_request(_: Signature, inputs: Inputs) -> tuple[str, Headers, bytes]:
    single = len(next(iter(inputs.values()))) == 1
    given = {name: _plain(array[0] if single else array) for name, array in inputs.items()}
    return "/predict", {"content-type": JSON}, json.dumps({"inputs": given}).encode()


def _json_answer(signature: Signature, _: Headers, body: bytes, single: bool) -> Arrays:
    outputs = json.loads(body)["outputs"]
    values = [[outputs[spec.name]] if single else outputs[spec.name] for spec in signature.outputs]
    return [np.array(each, _dtype(spec)) for each, spec in zip(values, signature.outputs, strict=True)]


def _raw_request(signature: Signature, inputs: Inputs) -> tuple[str, Headers, bytes]:
    array = inputs[signature.inputs[0].name]
    array = array[0] if len(array) == 1 else array
    shape = {"x-tensor-shape": ",".join(map(str, array.shape))} if array.shape else {}
    return "/predict", {"content-type": RAW} | shape, _bytes(array)


def _raw_answer(signature: Signature, headers: Headers, body: bytes, single: bool) -> Arrays:
    shape = [int(size) for size in headers["x-tensor-shape"].split(",") if size]
    values = np.frombuffer(body, headers["x-tensor-dtype"]).reshape(shape)
    return [values[None] if single else values]


def _npy_request(signature: Signature, inputs: Inputs) -> tuple[str, Headers, bytes]:
    array, stream = inputs[signature.inputs[0].name], io.BytesIO()
    np.save(stream, array[0] if len(array) == 1 else array, allow_pickle=False)
    return "/predict", {"content-type": NPY}, stream.getvalue()


def _npy_answer(signature: Signature, _: Headers, body: bytes, single: bool) -> Arrays:
    values = np.load(io.BytesIO(body), allow_pickle=False)
    return [values[None] if single else values]


def _v2_request(signature: Signature, inputs: Inputs) -> tuple[str, Headers, bytes]:
    listed = [_described(spec, inputs) | {"data": inputs[spec.name].ravel().tolist()} for spec in signature.inputs]
    return _path(signature), {"content-type": JSON}, json.dumps({"inputs": listed}).encode()


def _v2_bytes_request(signature: Signature, inputs: Inputs) -> tuple[str, Headers, bytes]:
    parts = [_bytes(inputs[spec.name]) for spec in signature.inputs]
    listed = [
        _described(spec, inputs) | {"parameters": {"binary_data_size": len(part)}}
        for spec, part in zip(signature.inputs, parts, strict=True)
    ]
    head = json.dumps({"inputs": listed, "parameters": {"binary_data_output": True}}).encode()
    return _path(signature), {"content-type": RAW, LENGTH: str(len(head))}, b"".join([head, *parts])


def _v2_answer(signature: Signature, headers: Headers, body: bytes, _: bool) -> Arrays:
    at = int(headers.get(LENGTH, len(body)))
    found: Inputs = {}
    for entry in json.loads(body[:at])["outputs"]:
        spec = next(each for each in signature.outputs if each.name == entry["name"])
        size = entry.get("parameters", {}).get("binary_data_size")
        if size is None:
            found[spec.name] = np.array(entry["data"], _dtype(spec)).reshape(entry["shape"])
            continue
        part, at = body[at : at + size], at + size
        flat: Any = np.array(_texts(part), object) if spec.dtype == "string" else np.frombuffer(part, _dtype(spec))
        found[spec.name] = flat.reshape(entry["shape"])
    return [found[spec.name] for spec in signature.outputs]


def _path(signature: Signature) -> str:
    return f"/v2/models/{signature.name}/infer"


def _described(spec: TensorSpec, inputs: Inputs) -> dict[str, Any]:
    kind, bits = spec.dtype.rstrip("0123456789"), spec.dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    datatype = {"string": "BYTES", "float": f"FP{bits}"}.get(kind, f"{kind.upper()}{bits}")
    return {"name": spec.name, "datatype": datatype, "shape": list(inputs[spec.name].shape)}


def _plain(array: Any) -> Any:
    """Nested lists; a missing number is null, a text itself."""
    if isinstance(array, str):
        return array
    if array.dtype.kind == "f" and np.isnan(array).any():
        array = np.where(np.isnan(array), np.array(None, object), array.astype(object))
    return array.tolist()


def _bytes(array: np.ndarray) -> bytes:
    if array.dtype.kind != "O":
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [str(text).encode() for text in array.ravel()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def _texts(part: bytes) -> list[str]:
    found, at = [], 0
    while at < len(part):
        end = at + 4 + int.from_bytes(part[at : at + 4], "little")
        found.append(part[at + 4 : end].decode())
        at = end
    return found


def _dtype(spec: TensorSpec) -> np.dtype:
    return np.dtype(object if spec.dtype == "string" else spec.dtype)


WIRES = {
    "json": Wire(_json_request, _json_answer),
    "raw": Wire(_raw_request, _raw_answer, tensors=True),
    "npy": Wire(_npy_request, _npy_answer, tensors=True),
    "v2": Wire(_v2_request, _v2_answer),
    "v2 bytes": Wire(_v2_bytes_request, _v2_answer),
}
