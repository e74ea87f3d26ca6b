"""/predict: from a request's bytes to its answer's, in JSON, raw bytes or .npy."""

from time import perf_counter

import numpy as np
from slipway.service.api.responses import answer, check_finite
from slipway.service.artifact import Signature
from slipway.service.encoding import encode
from slipway.service.errors import Refused
from slipway.service.exchange import JSON, NPY, RAW, TOKEN, Headers
from slipway.service.inference.batching import Batcher
from slipway.service.samples.tensors import from_npy, from_raw, to_npy, to_raw
from slipway.service.samples.validation import Samples, Validator
from slipway.service.telemetry.monitor import Monitor

KINDS = (JSON, RAW, NPY)


class Predict:
    """Answers in the kind that `accept` names, else in the request's own."""

    def __init__(self, signature: Signature, validator: Validator, batcher: Batcher, watch: Monitor) -> None:
        self._signature, self._validator, self._batcher, self._watch = signature, validator, batcher, watch
        only = signature.inputs[0] if len(signature.inputs) == 1 else None
        self._input = only if only and only.dtype != "string" else None
        self._output = signature.outputs[0] if len(signature.outputs) == 1 else None
        self._output_dtype = signature.outputs[0].dtype.encode()

    async def __call__(self, kind: bytes, body: bytes, given: Headers) -> tuple[bytes, bytes, Headers]:
        """The answer's bytes, their content type and more headers for them. Raises Refused."""
        begun = perf_counter()
        answered = self._answered(kind, given.get(b"accept", b""))
        samples = self._samples(kind, body, given)
        parsed = perf_counter()
        outputs = await self._batcher.run(samples)
        ran = perf_counter()
        text, headers = self._encoded(answered, outputs, samples)
        token = self._watch.answered(samples, outputs, begun, parsed, ran, perf_counter())
        if token:
            headers[TOKEN] = token
        return text, answered, headers

    def _encoded(self, answered: bytes, outputs: dict[str, np.ndarray], samples: Samples) -> tuple[bytes, Headers]:
        if answered == JSON:
            return encode(answer(outputs, samples, self._signature)), {}
        check_finite(outputs, samples.single)
        (values,) = outputs.values()
        values = values[0] if samples.single else values
        if answered == NPY:
            return to_npy(values), {}
        return to_raw(values), {b"x-tensor-shape": _comma(values), b"x-tensor-dtype": self._output_dtype}

    def _samples(self, kind: bytes, body: bytes, given: Headers) -> Samples:
        if kind == JSON:
            return self._validator.json(body)
        if self._input is None:
            message = "a tensor's bytes are taken by models with one input of numbers; send JSON, or use /v2"
            raise Refused(415, "wrong_content_type", message)
        if kind == NPY:
            array = from_npy(body, self._input)
        else:
            array = from_raw(body, self._input, given.get(b"x-tensor-shape"))
        return self._validator.tensors({self._input.name: array})

    def _answered(self, kind: bytes, accept: bytes) -> bytes:
        wanted = next((each for each in KINDS if each in accept), None) if accept not in (b"", b"*/*") else None
        if wanted in (None, JSON):
            return JSON if wanted or kind == JSON or not self._binary() else kind
        if not self._binary():
            message = "the answer has several outputs or texts: it comes as application/json"
            raise Refused(406, "not_acceptable", message)
        return RAW if wanted == RAW else NPY

    def _binary(self) -> bool:
        return self._output is not None and self._output.dtype != "string"


def _comma(values: np.ndarray) -> bytes:
    return ",".join(map(str, values.shape)).encode()
