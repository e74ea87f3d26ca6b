"""The Open Inference Protocol v2 over HTTP: what Triton's and KServe's clients speak."""

from time import perf_counter
from typing import Any

import numpy as np
from slipway.service.api.responses import check_finite
from slipway.service.artifact import Signature, TensorSpec
from slipway.service.encoding import encode, plain
from slipway.service.errors import Refused, word
from slipway.service.exchange import JSON, RAW, TOKEN, Headers
from slipway.service.inference.batching import Batcher
from slipway.service.numbers import MOST_AXES, count, shape, whole
from slipway.service.samples.tensors import strings, tensor, to_raw
from slipway.service.samples.validation import ACCEPTED, Validator, parse
from slipway.service.telemetry.monitor import Monitor

LENGTH = b"inference-header-content-length"
DATATYPES = {
    "bool": "BOOL",
    "string": "BYTES",
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
}
_NUMPY = {text: np.dtype(object if name == "string" else name) for name, text in DATATYPES.items()}


class OpenInference:
    """One model under its name, in one version: the first twelve digits of its digest."""

    def __init__(
        self, signature: Signature, version: str, validator: Validator, batcher: Batcher, watch: Monitor
    ) -> None:
        self._signature, self._validator, self._batcher, self._watch = signature, validator, batcher, watch
        self._outputs = {spec.name: spec for spec in signature.outputs}
        self.name, self.version = signature.name, version
        self.server = {"name": "slipway", "version": "1", "extensions": ["binary_tensor_data"]}
        self.metadata = {
            "name": self.name,
            "versions": [version],
            "platform": "onnxruntime_onnx",
            "inputs": [_tensor_metadata(spec) for spec in signature.inputs],
            "outputs": [_tensor_metadata(spec) for spec in signature.outputs],
        }

    async def infer(self, body: bytes, given: Headers) -> tuple[bytes, bytes, Headers]:
        """The answer's bytes, their content type and more headers for them. Raises Refused (400, 422, 429, 504)."""
        begun = perf_counter()
        head, rest = _split(body, given)
        request = _object(parse(head), "the body")
        arrays = _inputs(request, rest)
        wanted = self._wanted(request)
        samples = self._validator.tensors(arrays, batched=True)
        parsed = perf_counter()
        outputs = await self._batcher.run(samples)
        ran = perf_counter()
        check_finite(outputs, False)

        described: list[dict[str, Any]] = []
        parts: list[bytes] = []
        for name, binary in wanted.items():
            values, spec = outputs[name], self._outputs[name]
            entry: dict[str, Any] = {"name": name, "datatype": DATATYPES[spec.dtype], "shape": list(values.shape)}
            if binary:
                parts.append(to_raw(values))
                entry["parameters"] = {"binary_data_size": len(parts[-1])}
            else:
                entry["data"] = plain(values.ravel())
            described.append(entry)
        response = {"model_name": self.name, "model_version": self.version, "outputs": described}
        if "id" in request:
            response["id"] = request["id"]
        head = encode(response)
        token = self._watch.answered(samples, outputs, begun, parsed, ran, perf_counter())
        headers = {TOKEN: token} if token else {}
        if not parts:
            return head, JSON, headers
        return b"".join([head, *parts]), RAW, {LENGTH: b"%d" % len(head), **headers}

    def _wanted(self, request: dict[str, Any]) -> dict[str, bool]:
        """The outputs to answer with, and whether in bytes."""
        given_id = request.get("id", "")
        if type(given_id) is not str or len(given_id) > 1000:
            raise Refused(400, "wrong_type", "id: expected a string of at most 1000 characters", field="id")
        binary = _flag(_parameters(request), "binary_data_output", False)
        listed = request.get("outputs", [])
        if type(listed) is not list or len(listed) > len(self._outputs):
            raise Refused(400, "wrong_type", f"outputs: expected a list of {', '.join(self._outputs)}", field="outputs")
        wanted: dict[str, bool] = {}
        for each in (_object(entry, "outputs") for entry in listed):
            name = each.get("name")
            if type(name) is not str or name not in self._outputs:
                message = f"outputs: the model has {', '.join(self._outputs)}, not {word(name)[:100]}"
                raise Refused(400, "unknown_field", message, field="outputs")
            wanted[name] = _flag(_parameters(each), "binary_data", binary)
        return wanted or dict.fromkeys(self._outputs, binary)


def _split(body: bytes, given: Headers) -> tuple[bytes, memoryview]:
    announced = given.get(LENGTH)
    if announced is None:
        return body, memoryview(b"")
    length = whole(announced, len(body))
    if length is None:
        message = f"{LENGTH.decode()}: expected a number of bytes, at most the body's {len(body)}"
        raise Refused(400, "wrong_size", message, field=LENGTH.decode())
    return body[:length], memoryview(body)[length:]


def _inputs(request: dict[str, Any], rest: memoryview) -> dict[str, np.ndarray]:
    listed = request.get("inputs")
    if type(listed) is not list or not listed:
        raise Refused(400, "wrong_type", "inputs: expected a list of tensors", field="inputs")
    arrays: dict[str, np.ndarray] = {}
    at = 0
    for entry in (_object(each, "inputs") for each in listed):
        name, dtype, sizes = _described(entry)
        if name in arrays:
            raise Refused(400, "wrong_type", f"{name}: given twice", field=name)
        parameters = _parameters(entry)
        if "binary_data_size" not in parameters:
            arrays[name] = _from_list(entry.get("data"), dtype, sizes, name)
            continue
        size = count(parameters["binary_data_size"], len(rest) - at)
        if size is None:
            message = f"{name}: binary_data_size is not a number of bytes that the body has"
            raise Refused(400, "wrong_size", message, field=name)
        content = bytes(rest[at : at + size])
        at += size
        arrays[name] = strings(content, sizes, name) if dtype.kind == "O" else tensor(content, dtype, sizes, name)
    if at != len(rest):
        raise Refused(400, "wrong_size", f"{len(rest) - at} bytes belong to no input", field="inputs")
    return arrays


def _described(entry: dict[str, Any]) -> tuple[str, np.dtype, list[int]]:
    name, datatype, sizes = entry.get("name"), entry.get("datatype"), shape(entry.get("shape"))
    if type(name) is not str or not name or len(name) > 1000:
        raise Refused(400, "wrong_type", "inputs: each needs a name", field="inputs")
    if type(datatype) is not str or datatype not in _NUMPY:
        raise Refused(400, "wrong_type", f"{name[:100]}: datatype is none of {', '.join(_NUMPY)}", field=name)
    if sizes is None:
        raise Refused(400, "wrong_shape", f"{name[:100]}: shape is not a list of sizes", field=name)
    return name, _NUMPY[datatype], sizes


def _from_list(data: object, dtype: np.dtype, sizes: list[int], name: str) -> np.ndarray:
    """Flat or nested data, in row-major order either way."""
    if type(data) is not list:
        raise Refused(400, "missing_field", f"{name}: data is not a list", field=name)
    flat: list[Any] = data
    inner: list[int] = []
    while flat and all(type(each) is list for each in flat) and len(inner) < MOST_AXES:
        inner.append(len(flat[0]))
        if set(map(len, flat)) != {inner[-1]}:
            raise Refused(400, "wrong_shape", f"{name}: rows of different lengths", field=name)
        flat = [value for each in flat for value in each]
    if inner and [len(data), *inner] != sizes:
        found = "x".join(map(str, [len(data), *inner]))
        raise Refused(
            400, "wrong_shape", f"{name}: shape says {'x'.join(map(str, sizes))}, data is {found}", field=name
        )
    # A null is NaN; whether the model takes missing values is for the validation to say.
    accepted = ACCEPTED[dtype.kind] | ({type(None)} if dtype.kind == "f" else set())
    if not accepted.issuperset(map(type, flat)):
        raise Refused(
            400, "wrong_type", f"{name}: a value in data is no {DATATYPES.get(dtype.name, 'BYTES')}", field=name
        )
    try:
        with np.errstate(over="ignore"):  # what becomes Infinity is refused by the validation
            return np.array(flat, dtype).reshape(sizes)
    except (ValueError, OverflowError) as error:
        code = "out_of_range" if isinstance(error, OverflowError) else "wrong_shape"
        message = f"{name}: {len(flat)} values, shape is {'x'.join(map(str, sizes))}"
        raise Refused(
            400, code, message if code == "wrong_shape" else f"{name}: a number is out of range", field=name
        ) from None


def _object(value: object, name: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise Refused(400, "wrong_type", f"{name}: expected an object, got {word(value)}")
    return value


def _parameters(entry: dict[str, Any]) -> dict[str, Any]:
    return _object(entry.get("parameters", {}), "parameters")


def _flag(parameters: dict[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise Refused(400, "wrong_type", f"{name}: expected true or false, got {word(value)}", field=name)
    return value


def _tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    shape = [-1 if size is None else size for size in spec.shape]
    return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": shape}
