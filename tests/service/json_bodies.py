"""Bodies that are nearly JSON, and what a JSON library makes of them: for a comparison with what the service reads."""

import json
import random
import re
from itertools import product

import numpy as np
from slipway.service.artifact import Signature, TensorSpec
from slipway.service.errors import Refused
from slipway.service.samples.validation import Validator, parse
from slipway.service.settings import Settings

SHAPES = [(4,), (2, 2), (3, 1), (2, 1, 1), (1,), (1, 2), ()]
DTYPES = ["float32", "float64", "int64", "uint8"]
_TOKENS = re.compile(rb'[\[\]{},:]|"[^"]*"|[ \t\n\r]+|[^\[\]{},:" \t\n\r]+')
_NUMBERS = [b"0", b"-0", b"7", b"-3", b"255", b"0.5", b"-1.25e2", b"1E-3", b"2e+2", b"9007199254740993", b"1.0"]
_JUNK = [
    *(b"-", b"+", b".", b"e5", b".0", b"0", b"01", b"1.", b".5", b"1e", b"E+", b"--1", b"0x1", b"1_0", b"NaN", b"null"),
    *(b"true", b'"1"', b"Infinity", b"1e400", b"1e39", b"256", b"9" * 30, b"\x00", b"\xa0", b"\x0b", b"\xef\xbb\xbf"),
    *(b" ", b"\t", b"\n", b"\r", b"[", b"]", b",", b"{", b"}", b":", b"[]", b"[1]", b",,", b"//", b"\\", b"\xff"),
]


class Compared:
    """One model's reader beside two libraries: `difference` is None, or a line for each of them."""

    def __init__(self, sizes: tuple[int, ...], dtype: str) -> None:
        spec = TensorSpec(name="x", dtype=dtype, shape=(None, *sizes))
        output = TensorSpec(name="y", dtype="float32", shape=(None, 1))
        self.sizes, self.dtype = sizes, np.dtype(dtype)
        self._validator = Validator(
            Signature(name="m", task="regression", inputs=(spec,), outputs=(output,)), Settings()
        )

        self._validator._numbers.least = 0  # so that short bodies show what it does

    def difference(self, body: bytes) -> str | None:
        """What the service reads, beside orjson with a list for each row, and Python's own json."""
        ours = _outcome(lambda: self._validator.json(body))
        nested = _outcome(lambda: self._validator.nested(parse(body)))
        expected = self._expected(body)
        read = ours[1:] if ours[0] == 200 else None
        if ours == nested and read == expected:
            return None
        return f"{self.sizes} {self.dtype} {body!r}: read {ours}, as lists {nested}, by json {expected}"

    def _expected(self, body: bytes) -> tuple[bool, tuple[int, ...], list[object]] | None:
        given = by_json(body)
        if not isinstance(given, dict) or list(given) != ["inputs"]:
            return None
        inputs = given["inputs"]
        if not isinstance(inputs, dict) or list(inputs) != ["x"]:
            return None
        return tensor(inputs["x"], self.sizes, self.dtype)


def by_json(text: bytes) -> object:
    """What Python's json makes of a text that is JSON by the standard; None where it is none."""
    try:
        found = json.loads(text.decode(), parse_constant=_no_json)
        json.dumps(found, ensure_ascii=False).encode()  # half a character is none
    except (ValueError, RecursionError):
        return None
    return found


def tensor(rows: object, sample: tuple[int, ...], dtype: np.dtype) -> tuple[bool, tuple[int, ...], list[object]] | None:
    """Whether nested lists are one sample, their shape with the batch, and the numbers; None where they are neither."""
    for single, sizes in ((True, sample), (False, (len(rows) if type(rows) is list else 0, *sample))):
        leaves = [rows]
        for size in sizes:
            if not size or not all(type(each) is list and len(each) == size for each in leaves):
                break
            leaves = [leaf for each in leaves for leaf in each]
        else:
            if (found := numbers(leaves, dtype)) is not None:
                return single, (1, *sizes) if single else sizes, found
    return None


def numbers(leaves: list[object], dtype: np.dtype) -> list[object] | None:
    """The leaves in a dtype; None where one is no number of it."""
    if not all(type(leaf) is int or (type(leaf) is float and dtype.kind == "f") for leaf in leaves):
        return None
    try:
        with np.errstate(over="ignore"):
            found = np.array(leaves, dtype)
    except OverflowError:
        return None
    return found.tolist() if np.isfinite(found).all() else None


def body(rng: random.Random, sizes: tuple[int, ...]) -> bytes:
    """A request that is JSON, of one sample or a few."""
    rows = sizes if rng.random() < 0.5 and sizes else (rng.randint(1, 3), *sizes)
    text = _nested(rng, rows)
    if rng.random() < 0.3:
        text = b"".join(token + rng.choice((b"", b"", b" ", b"\n\t")) for token in _TOKENS.findall(text))
    return b'{"inputs":{"x":' + text + b"}}"


def mutated(rng: random.Random, text: bytes) -> bytes:
    """The same with one to three tokens moved, doubled, dropped or put in, or a byte changed."""
    tokens = _TOKENS.findall(text)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        kind = rng.randrange(6)
        if kind == 0 and at + 1 < len(tokens):
            tokens[at : at + 2] = tokens[at : at + 2][::-1]
        elif kind == 1:
            tokens.insert(other, tokens.pop(at))
        elif kind == 2:
            tokens.insert(at, rng.choice(_JUNK + _NUMBERS))
        elif kind == 3:
            tokens[at] = rng.choice(_JUNK + _NUMBERS)
        elif kind == 4 and len(tokens) > 1:
            del tokens[at]
        else:
            place = rng.randrange(len(tokens[at]) + 1)
            tokens[at] = tokens[at][:place] + rng.choice((b"", b" ", bytes([rng.randrange(256)]))) + tokens[at][place:]
    return b"".join(tokens)


def differences(count: int, seed: int) -> tuple[int, list[str]]:
    """How many of `count` bodies were JSON that the model takes, and the first differences."""
    rng = random.Random(seed)
    compared = [Compared(sizes, dtype) for sizes, dtype in product(SHAPES, DTYPES)]
    good, found = 0, []
    for number in range(count):
        each = compared[number % len(compared)]
        text = body(rng, each.sizes)
        if rng.random() < 0.9:
            text = mutated(rng, text)
        good += each._expected(text) is not None
        if difference := each.difference(text):
            found.append(difference)
    return good, found[:20]


def _outcome(read):
    try:
        samples = read()
    except Refused as refused:
        return refused.status, refused.code, refused.field
    (array,) = samples.inputs.values()
    return 200, samples.single, array.shape, array.ravel().tolist()


def _nested(rng: random.Random, sizes: tuple[int, ...]) -> bytes:
    if not sizes:
        return rng.choice(_NUMBERS)
    return b"[" + b",".join(_nested(rng, sizes[1:]) for _ in range(sizes[0])) + b"]"


def _no_json(name: str) -> None:
    raise ValueError(name)
