"""From a model's outputs to what a client reads."""

from typing import Any

import numpy as np
from slipway.service.artifact import Signature
from slipway.service.encoding import plain
from slipway.service.errors import Refused
from slipway.service.samples.validation import Samples, all_finite

_ONE = 1.00001  # a softmax of float32 rounds


def answer(outputs: dict[str, np.ndarray], samples: Samples, signature: Signature) -> dict[str, Any]:
    """The response object for `outputs` (batch first), with one sample's values where one was asked for.

    A classification with labels adds `label` and, where the output's numbers are such, `probability`. Raises Refused
    (422) where the model's own arithmetic gave NaN or Infinity: JSON has no such numbers.
    """
    check_finite(outputs, samples.single)
    single = samples.single
    result: dict[str, Any] = {
        "outputs": {name: plain(values[0] if single else values) for name, values in outputs.items()}
    }
    if signature.task == "classification" and signature.labels:
        scores = outputs[signature.outputs[0].name]
        if scores.ndim == 2:
            result |= _single(scores[0], signature.labels) if single else _batch(scores, signature.labels)
    return result


def _single(scores: np.ndarray, labels: tuple[str, ...]) -> dict[str, Any]:
    best = int(scores.argmax())
    label = {"label": labels[best]}
    return label | {"probability": scores[best]} if _is_probability(scores[best]) else label


def _batch(scores: np.ndarray, labels: tuple[str, ...]) -> dict[str, Any]:
    highest = scores.max(axis=1)
    label = {"label": [labels[index] for index in scores.argmax(axis=1)]}
    probable = _is_probability(highest.min()) and _is_probability(highest.max())
    return label | {"probability": highest} if probable else label


def _is_probability(value: Any) -> bool:
    return bool(0 <= value <= _ONE)


def check_finite(outputs: dict[str, np.ndarray], single: bool) -> None:
    """Raises Refused (422) naming the output and the sample where a value is NaN or Infinity."""
    for name, values in outputs.items():
        if values.dtype.kind == "f" and not all_finite(values):
            finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
            index = None if single else int(np.argmin(finite))
            message = f"{name}: the model's answer to this input is not a finite number"
            raise Refused(422, "not_finite", message, field=name, index=index)
