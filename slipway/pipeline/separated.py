"""How a text file of columns is written: its encoding, separator and decimal comma, found out from its first rows."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

from slipway.pipeline.errors import BadInput, shown

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
ROWS, BYTES = 200, 1_000_000
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
_POINT = re.compile(r"[-+]?\d*\.\d+([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?(?!0)\d{1,3}(,\d{3})+")
_NUMBER = re.compile(r"[-+]?[\d.,']*\d[\d.,']*([eE][-+]?\d+)?")
_BOTH = re.compile(r"[-+]?\d{1,3}([.,']\d{3})+[.,]\d+")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """`decimal`: the sign before the digits of a fraction."""

    encoding: str
    separator: str
    decimal: str
    columns: int

    @property
    def found(self) -> str:
        """What differs from UTF-8, commas and points, in words; empty where nothing does."""
        split = self.separator != "," and self.columns > 1
        said = [f"columns split at {SEPARATORS[self.separator]}"] if split else []
        said += ["decimal comma"] if self.decimal == "," else []
        names = {"utf-8-sig": "UTF-8 with a byte order mark", "utf-16": "UTF-16"}
        return ", ".join(said + ([names[self.encoding]] if self.encoding in names else []))


def dialect(file: Path) -> Dialect:
    """Raises BadInput where it is not UTF-8 or UTF-16, or where numbers can be read in two ways."""
    encoding, text = _decoded(file)
    fits = {each: _fit(text, each) for each in SEPARATORS}
    separator = max(fits, key=lambda each: fits[each])
    columns = fits[separator][1]
    if columns < 2:  # one column, whose cells may have commas in them
        separator = "\t"
    cells = [cell for column in zip_longest(*_rows(text, separator)[1:], fillvalue="") for cell in _numbers(column)]
    if both := next((each for each in cells if _BOTH.fullmatch(each)), None):
        raise BadInput(f"{shown(file)}: {both!r} groups its thousands; write such numbers without groups")
    commas = [each for each in cells if _COMMA.fullmatch(each) or _THOUSANDS.fullmatch(each)]
    if not commas:
        return Dialect(encoding=encoding, separator=separator, decimal=".", columns=columns)
    if point := next((each for each in cells if _POINT.fullmatch(each)), None):
        raise BadInput(f"{shown(file)}: {commas[0]!r} and {point!r}: write all fractions with a point, or with a comma")
    if all(_THOUSANDS.fullmatch(each) for each in commas):
        plain = commas[0].replace(",", "")
        point = commas[0].replace(",", ".")
        raise BadInput(f"{shown(file)}: {commas[0]!r} can be read as {plain} or {point}; write it in one of these ways")
    return Dialect(encoding=encoding, separator=separator, decimal=",", columns=columns)


def _decoded(file: Path) -> tuple[str, str]:
    """Encoding and the first lines."""
    with file.open("rb") as opened:
        head = opened.read(BYTES)
    encoding = next((name for mark, name in _BOMS.items() if head.startswith(mark)), "utf-8")
    try:
        return encoding, codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError as error:
        raise BadInput(f"{shown(file)} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None


def _rows(text: str, separator: str) -> list[list[str]]:
    rows = islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), ROWS + 1)
    try:
        return [row for row in rows if row]
    except csv.Error:
        return []


def _numbers(column: Sequence[str]) -> list[str]:
    """The cells of a column of numbers, however they are written; of any other none."""
    cells = [each.strip() for each in column if each.strip()]
    return cells if all(_NUMBER.fullmatch(each) for each in cells) else []


def _fit(text: str, separator: str) -> tuple[float, int]:
    """How well the rows fit: the share that has as many columns as the header, of two or more; then how many."""
    header, *rows = _rows(text, separator) or [[]]
    if len(header) < 2:
        return 0.0, 0
    return sum(len(row) == len(header) for row in rows) / max(len(rows), 1), len(header)
