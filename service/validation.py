"""What a request must look like, decided from the model's signature before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from service.artifact import Signature, TensorSpec
from service.refusal import Refused, depth, path, word, wrong_shape, wrong_type
from service.settings import Settings

_ACCEPTED = {
    "f": frozenset({int, float}),
    "i": frozenset({int}),
    "u": frozenset({int}),
    "b": frozenset({bool}),
}


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs ready to run: arrays of the declared dtype, `count` samples along the first axis of each.

    `single` tells that the request held one sample without a batch axis; the answer mirrors that.
    """

    inputs: dict[str, np.ndarray]
    count: int
    single: bool


def validate(payload: object, signature: Signature, settings: Settings) -> Samples:
    """Check a parsed JSON request against the signature and make its arrays; nothing is ever reshaped.

    The signature's minimum and maximum are what training has seen, so they bind only by setting. Raises Refused
    (400) naming the field: missing or unknown fields, wrong shape or type, values that are not finite or out of
    range, batches that are empty, too large or of different sizes.
    """
    if type(payload) is not dict:
        raise Refused(400, "wrong_type", f"expected an object with 'inputs', got {word(payload)}")
    _same_names(payload, ("inputs",))
    given = payload["inputs"]
    names = [spec.name for spec in signature.inputs]
    if type(given) is not dict:
        message = f"inputs: expected an object with {', '.join(names)}, got {word(given)}"
        raise Refused(400, "wrong_type", message, field="inputs")
    _same_names(given, names)

    samples: Samples | None = None
    arrays: dict[str, np.ndarray] = {}
    for spec in signature.inputs:
        array, single = _array(given[spec.name], spec, bool(settings.limit_range))
        if samples and (len(array), single) != (samples.count, samples.single):
            first = f"{names[0]}: {_extent(samples.count, samples.single)}"
            message = f"{spec.name}: {_extent(len(array), single)}, {first}"
            raise Refused(400, "wrong_batch", message, field=spec.name)
        if len(array) > settings.max_batch:
            message = f"{spec.name}: {len(array)} samples in one request, at most {settings.max_batch} are taken"
            raise Refused(400, "batch_too_large", message, field=spec.name)
        arrays[spec.name] = array
        samples = samples or Samples(arrays, len(array), single)
    assert samples is not None
    return samples


def _same_names(given: dict[str, Any], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in given:
            raise Refused(400, "missing_field", f"{name}: missing", field=name)
    if len(given) > len(wanted):
        unknown = next(name for name in given if name not in wanted)[:100]
        message = f"{unknown}: unknown field; expected {', '.join(wanted)}"
        raise Refused(400, "unknown_field", message, field=unknown)


def _array(value: object, spec: TensorSpec, ranged: bool) -> tuple[np.ndarray, bool]:
    single = depth(value) == len(spec.shape) - 1
    shape = spec.shape[1:] if single else spec.shape
    dtype = np.dtype(spec.dtype)
    accepted = _ACCEPTED[dtype.kind]

    # numpy alone would take "1.5", true and null for numbers. Going level by level keeps Python's types for one
    # check at the end, and costs no more than searching for those afterwards.
    flat: list[Any] = [value]
    sizes: list[int] = []
    try:
        for declared in shape:
            size = len(flat[0]) if declared is None else declared
            if size == 0 or set(map(len, flat)) != {size}:
                raise wrong_shape(value, spec)
            flat = list(chain.from_iterable(flat))
            sizes.append(size)
    except TypeError:  # len(1.5): a row is missing where its values lie
        raise wrong_shape(value, spec) from None
    if not accepted.issuperset(map(type, flat)):
        raise wrong_type(value, spec, accepted, single=single)
    try:
        with np.errstate(over="ignore"):  # 1e39 in float32 becomes Infinity, which the next check refuses
            array = np.array(flat, dtype).reshape((1, *sizes) if single else sizes)
    except OverflowError:
        message = f"{spec.name}: a number is outside the range of {spec.dtype}"
        raise Refused(400, "out_of_range", message, field=spec.name) from None
    if dtype.kind != "b":
        _check_values(array, spec, single, ranged)
    return array, single


def _check_values(array: np.ndarray, spec: TensorSpec, single: bool, ranged: bool) -> None:
    limits = np.finfo(array.dtype) if array.dtype.kind == "f" else np.iinfo(array.dtype)
    low = spec.minimum if ranged and spec.minimum is not None else limits.min
    high = spec.maximum if ranged and spec.maximum is not None else limits.max
    # NaN fails both comparisons and Infinity one of them: two reductions find everything.
    if array.min() >= low and array.max() <= high:
        return
    first = int(np.argmin((array >= low) & (array <= high)))
    place = tuple(int(index) for index in np.unravel_index(first, array.shape))
    wrong, where = array[place], path(spec.name, place[1:] if single else place)
    index = None if single else place[0]
    if not np.isfinite(wrong):
        raise Refused(400, "not_finite", f"{where}: not a finite {spec.dtype}", field=spec.name, index=index)
    message = f"{where}: {wrong:g} is outside {low:g} to {high:g}"
    raise Refused(400, "out_of_range", message, field=spec.name, index=index)


def _extent(count: int, single: bool) -> str:
    return "one sample" if single else f"a batch of {count}"
