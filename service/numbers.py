"""Sizes that callers write: in headers, in JSON and in .npy headers. Every one of them is read here, within limits."""

MOST_AXES = 32
# A number of more digits is no size; int() itself fails at 4,300 of them.
_MOST_DIGITS = 12
# Elements of one tensor: far above any body, and in bytes still within what numpy counts with.
_MOST_ELEMENTS = 2**48


def whole(text: bytes, most: int) -> int | None:
    """The number that `text` writes in ASCII digits; None where it is anything else or above `most`."""
    return count(int(text), most) if len(text) <= _MOST_DIGITS and text.isdigit() else None


def count(value: object, most: int) -> int | None:
    """`value` where it is a whole number from 0 to `most`, else None; true and false are none."""
    return value if type(value) is int and 0 <= value <= most else None


def shape(values: object) -> list[int] | None:
    """`values` where they are the sizes of a tensor's axes, else None. One that is 0 does not excuse the others."""
    if not isinstance(values, list | tuple) or len(values) > MOST_AXES:
        return None
    elements = 1
    for size in values:
        if count(size, _MOST_ELEMENTS) is None or (elements := elements * (size or 1)) > _MOST_ELEMENTS:
            return None
    return list(values)
