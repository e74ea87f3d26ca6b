"""Refused requests: what is wrong, where, in words and in a form for machines."""

from collections.abc import Iterator

from slipway.service.artifact import TensorSpec

# Deeper nesting than any tensor has is told apart no further: it would only exhaust the stack.
_DEEPEST = 16
_EXPECTED = {bool: "true or false", float: "a number", int: "a whole number", str: "a string"}


class Refused(Exception):
    """A request that is not answered: an HTTP status and a machine-readable reason.

    `field` names the input (or request field) at fault, `index` the sample of a batch; both may be None.
    `retry_after` tells in seconds when to come again.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        index: int | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field, self.index = status, code, message, field, index
        self.retry_after = retry_after

    def body(self) -> dict[str, dict[str, object]]:
        """The answer's JSON object."""
        error: dict[str, object] = {"code": self.code, "field": self.field, "message": self.message}
        if self.index is not None:
            error["index"] = self.index
        return {"error": error}

    def flat_body(self) -> dict[str, object]:
        """The same in the form of the Open Inference Protocol, where `error` is the message."""
        error = self.body()["error"]
        return {"error": error.pop("message"), **error}


def wrong_shape(value: object, spec: TensorSpec) -> Refused:
    """Name the sample of `value` that does not have the shape of `spec`; `value` is known to be wrong."""
    expected = f"expected {dimensions(spec.shape[1:])}" if len(spec.shape) > 1 else "expected a number"
    if not isinstance(value, list) or not value or depth(value) != len(spec.shape):
        return Refused(400, "wrong_shape", f"{spec.name}: {expected}, got {_found(value)}", field=spec.name)
    sizes = [_sizes(sample) for sample in value]
    index = next((i for i, size in enumerate(sizes) if not _fits(size, spec.shape[1:])), None)
    if index is None:
        index = next((i for i, size in enumerate(sizes) if size != sizes[0]), 0)
    message = f"{spec.name}[{index}]: {expected}, got {_found(value[index])}"
    return Refused(400, "wrong_shape", message, field=spec.name, index=index)


def wrong_type(value: object, spec: TensorSpec, accepted: frozenset[type], *, single: bool) -> Refused:
    """Name the first element of `value` that has none of the accepted types."""
    levels = len(spec.shape) - single
    place, wrong = next((place, leaf) for place, leaf in _leaves(value, levels) if type(leaf) not in accepted)
    expected = next(text for kind, text in _EXPECTED.items() if kind in accepted)
    message = f"{path(spec.name, place)}: expected {expected}, got {word(wrong)}"
    return Refused(400, "wrong_type", message, field=spec.name, index=place[0] if place and not single else None)


def depth(value: object) -> int:
    """How many lists lie in each other, going by the first elements."""
    levels = 0
    while type(value) is list:
        levels += 1
        value = value[0] if value else None
    return levels


def dimensions(shape: tuple[int | None, ...]) -> str:
    return "x".join("N" if size is None else str(size) for size in shape) + " numbers"


def path(name: str, place: tuple[int, ...]) -> str:
    return name + "".join(f"[{index}]" for index in place)


def word(value: object) -> str:
    words = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return words.get(type(value), f"{value}"[:40])


def _found(value: object) -> str:
    if not isinstance(value, list):
        return word(value)
    sizes = _sizes(value)
    return "rows of different lengths" if sizes is None else "x".join(map(str, sizes))


def _sizes(value: object, levels: int = _DEEPEST) -> tuple[int, ...] | None:
    """The shape of nested lists, None where they have no regular one."""
    if not isinstance(value, list):
        return ()
    inner = {_sizes(item, levels - 1) for item in value} if levels else {None}
    if not inner:
        return (0,)
    only = inner.pop()
    return None if inner or only is None else (len(value), *only)


def _fits(sizes: tuple[int, ...] | None, shape: tuple[int | None, ...]) -> bool:
    if sizes is None or len(sizes) != len(shape):
        return False
    return all(found and wanted in (None, found) for found, wanted in zip(sizes, shape, strict=True))


def _leaves(value: object, levels: int, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], object]]:
    if levels == 0 or not isinstance(value, list):
        yield place, value
        return
    for index, item in enumerate(value):
        yield from _leaves(item, levels - 1, (*place, index))
