"""What a request must look like, decided from the model's signature before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from typing import Any

import numpy as np
import orjson
from slipway.service.artifact import Signature, TensorSpec
from slipway.service.errors import Refused, depth, dimensions, path, word, wrong_shape, wrong_type
from slipway.service.samples.fast_json import NumberReader
from slipway.service.settings import Settings

# What JSON may hold for each kind of dtype.
ACCEPTED: dict[str, frozenset[type]] = {
    "f": frozenset({int, float}),
    "i": frozenset({int}),
    "u": frozenset({int}),
    "b": frozenset({bool}),
    "O": frozenset({str}),
}


def parse(body: bytes) -> Any:
    """Parse JSON; raises Refused (400) for what is not JSON, among it NaN, Infinity and numbers beyond float64."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "malformed_json", f"the body is not JSON: {error}") from None


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs ready to run: arrays of the declared dtype, `count` samples along the first axis of each.

    `single` tells that the request held one sample without a batch axis; the answer mirrors that.
    """

    inputs: dict[str, np.ndarray]
    count: int
    single: bool


class Validator:
    """Holds requests to a signature; nothing is ever reshaped or converted.

    The signature's minimum and maximum are what training has seen, so they bind only by setting. All methods raise
    Refused (400) naming the field: missing or unknown fields, wrong shape or type, values that are not finite, out of
    range or too long, batches that are empty, too large or of different sizes. Where the signature says nullable, null
    in JSON and NaN in bytes are values that are missing.
    """

    def __init__(self, signature: Signature, settings: Settings) -> None:
        self._inputs = {spec.name: _Input(spec, settings) for spec in signature.inputs}
        self._names = list(self._inputs)
        self._numbers = NumberReader(signature)
        self._max_batch = settings.max_batch

    def json(self, body: bytes) -> Samples:
        """The samples of a JSON request, `{"inputs": {name: nested lists}}`."""
        array = self._numbers.read(body)
        return self.nested(parse(body)) if array is None else self.tensors({self._names[0]: array})

    def nested(self, payload: object) -> Samples:
        """The samples of a JSON request that is parsed already."""
        if type(payload) is not dict:
            raise Refused(400, "wrong_type", f"expected an object with 'inputs', got {word(payload)}")
        _same_names(payload, ("inputs",))
        given = payload["inputs"]
        if type(given) is not dict:
            message = f"inputs: expected an object with {', '.join(self._names)}, got {word(given)}"
            raise Refused(400, "wrong_type", message, field="inputs")
        _same_names(given, self._names)
        return self._samples({name: each.from_lists(given[name]) for name, each in self._inputs.items()})

    def tensors(self, given: Mapping[str, np.ndarray], *, batched: bool = False) -> Samples:
        """The samples of tensors that came as such; `batched` ones have a batch axis always."""
        _same_names(given, self._names)
        return self._samples({name: each.from_tensor(given[name], batched) for name, each in self._inputs.items()})

    def _samples(self, arrays: dict[str, tuple[np.ndarray, bool]]) -> Samples:
        array, single = arrays[self._names[0]]
        count = len(array)
        for name, (other, alone) in arrays.items():
            if (len(other), alone) != (count, single):
                message = f"{name}: {_extent(len(other), alone)}, {self._names[0]}: {_extent(count, single)}"
                raise Refused(400, "wrong_batch", message, field=name)
        if count > self._max_batch:
            message = f"{self._names[0]}: {count} samples in one request, at most {self._max_batch} are taken"
            raise Refused(400, "batch_too_large", message, field=self._names[0])
        return Samples({name: each for name, (each, _) in arrays.items()}, count, single)


def all_finite(array: np.ndarray) -> bool:
    """Whether no value of a float array is NaN or Infinity."""
    flat = array.ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        # A sum of squares takes a tenth of the time of looking at each; one that is too large proves nothing.
        if array.dtype != np.float16 and isfinite(np.dot(flat, flat)):
            return True
    return bool(np.isfinite(flat).all())


class _Input:
    def __init__(self, spec: TensorSpec, settings: Settings) -> None:
        self.spec, self.ranged = spec, bool(settings.limit_range)
        self.dtype = np.dtype(object if spec.dtype == "string" else spec.dtype)
        self.nullable = spec.nullable and self.dtype.kind == "f"
        self.accepted = ACCEPTED[self.dtype.kind] | ({type(None)} if self.nullable else set())
        self.max_text = settings.max_text
        self.limits = _limits(self.dtype, spec, self.ranged)

    def from_lists(self, value: object) -> tuple[np.ndarray, bool]:
        """A checked array with the batch first, and whether `value` was one sample without a batch axis."""
        spec = self.spec
        single = depth(value) == len(spec.shape) - 1
        # numpy alone would take "1.5", true and null for numbers. Going level by level keeps Python's types for one
        # check at the end, and costs no more than searching for those afterwards.
        flat: list[Any] = [value]
        sizes: list[int] = []
        for declared in spec.shape[1:] if single else spec.shape:
            if set(map(type, flat)) != {list}:
                raise wrong_shape(value, spec)
            size = len(flat[0]) if declared is None else declared
            if size == 0 or set(map(len, flat)) != {size}:
                raise wrong_shape(value, spec)
            flat = flat[0] if len(flat) == 1 else list(chain.from_iterable(flat))
            sizes.append(size)
        if not self.accepted.issuperset(map(type, flat)):
            raise wrong_type(value, spec, self.accepted, single=single)
        try:
            with np.errstate(over="ignore"):  # 1e39 in float32 becomes Infinity, which the next check refuses
                array = np.array(flat, self.dtype).reshape((1, *sizes) if single else sizes)
        except OverflowError:
            message = f"{spec.name}: a number is outside the range of {spec.dtype}"
            raise Refused(400, "out_of_range", message, field=spec.name) from None
        self._check_values(array, single)
        return array, single

    def from_tensor(self, array: np.ndarray, batched: bool) -> tuple[np.ndarray, bool]:
        """The same for an array of any dtype and shape."""
        spec = self.spec
        if array.dtype != self.dtype:
            message = f"{spec.name}: expected {spec.dtype}, got {array.dtype}"
            raise Refused(400, "wrong_type", message, field=spec.name)
        single = not batched and array.ndim == len(spec.shape) - 1
        if single:
            array = array[np.newaxis]
        fits = array.ndim == len(spec.shape) and array.size > 0
        if not fits or any(want not in (None, size) for want, size in zip(spec.shape, array.shape, strict=True)):
            found = "x".join(map(str, array.shape[single:])) or "a single value"
            expected = dimensions(spec.shape[0 if batched else 1 :])
            raise Refused(400, "wrong_shape", f"{spec.name}: expected {expected}, got {found}", field=spec.name)
        self._check_values(array, single)
        return array, single

    def _check_values(self, array: np.ndarray, single: bool) -> None:
        kind = self.dtype.kind
        if self.nullable:  # NaN stands for a missing value here, which no limit holds for
            array = np.where(np.isnan(array), self.limits[0] if self.ranged else 0, array)
        if kind == "f":
            if not self.ranged and all_finite(array):
                return
        elif kind == "O":
            self._check_texts(array, single)
            return
        elif not self.ranged or kind == "b":
            return
        # NaN fails both comparisons and Infinity one of them.
        limits = self.limits
        if array.min() >= limits[0] and array.max() <= limits[1]:
            return
        first = int(np.argmin((array >= limits[0]) & (array <= limits[1])))
        wrong, where, index = self._find(array, first, single)
        if not np.isfinite(wrong):
            message = f"{where}: not a finite {self.spec.dtype}"
            raise Refused(400, "not_finite", message, field=self.spec.name, index=index)
        message = f"{where}: {wrong:g} is outside {limits[0]:g} to {limits[1]:g}"
        raise Refused(400, "out_of_range", message, field=self.spec.name, index=index)

    def _check_texts(self, array: np.ndarray, single: bool) -> None:
        lengths = list(map(len, array.ravel()))
        longest = max(lengths)
        if longest > self.max_text:
            _, where, index = self._find(array, lengths.index(longest), single)
            message = f"{where}: {longest} characters, at most {self.max_text} are taken"
            raise Refused(400, "text_too_long", message, field=self.spec.name, index=index)

    def _find(self, array: np.ndarray, first: int, single: bool) -> tuple[Any, str, int | None]:
        place = tuple(int(index) for index in np.unravel_index(first, array.shape))
        where = path(self.spec.name, place[1:] if single else place)
        return array[place], where, None if single else place[0]


def _same_names(given: Mapping[str, Any], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in given:
            raise Refused(400, "missing_field", f"{name}: missing", field=name)
    if len(given) > len(wanted):
        unknown = next(name for name in given if name not in wanted)[:100]
        message = f"{unknown}: unknown field; expected {', '.join(wanted)}"
        raise Refused(400, "unknown_field", message, field=unknown)


def _limits(dtype: np.dtype, spec: TensorSpec, ranged: bool) -> tuple[float, float]:
    if dtype.kind not in "fiu":
        return (0, 0)
    found: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    low, high = (limit.item() if dtype.kind == "f" else limit for limit in (found.min, found.max))
    if not ranged:
        return low, high
    return (low if spec.minimum is None else spec.minimum, high if spec.maximum is None else spec.maximum)


def _extent(count: int, single: bool) -> str:
    return "one sample" if single else f"a batch of {count}"
