"""From a request's bytes to its answer's: the work of /predict without HTTP."""

from typing import Any

import numpy as np
import orjson

from service.artifact import Signature
from service.refusal import Refused
from service.validation import Samples


def parse(body: bytes) -> Any:
    """Parse JSON; raises Refused (400) for what is not JSON, among it NaN, Infinity and numbers beyond float64."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "malformed_json", f"the body is not JSON: {error}") from None


def answer(outputs: dict[str, np.ndarray], samples: Samples, signature: Signature) -> dict[str, Any]:
    """The response object for `outputs` (batch first), with one sample's values where one was asked for.

    A classification with labels adds `label` and `probability`, from the first output. Raises Refused (422)
    where the model's own arithmetic gave NaN or Infinity: JSON has no such numbers.
    """
    for name, values in outputs.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
            index = None if samples.single else int(np.argmin(finite))
            message = f"{name}: the model's answer to this input is not a finite number"
            raise Refused(422, "not_finite", message, field=name, index=index)
    single = samples.single
    result: dict[str, Any] = {"outputs": {name: values[0] if single else values for name, values in outputs.items()}}
    if signature.task == "classification" and signature.labels:
        probabilities = outputs[signature.outputs[0].name]
        best = probabilities.argmax(axis=1)
        labels = [signature.labels[index] for index in best]
        highest = probabilities.max(axis=1)
        result["label"] = labels[0] if single else labels
        result["probability"] = highest[0] if single else highest
    return result


def encode(value: object) -> bytes:
    """JSON bytes; numpy arrays and numbers in the shortest form that reads back the same in their own type."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
