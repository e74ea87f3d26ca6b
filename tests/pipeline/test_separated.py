"""A csv is read as it is written, or refused where that is unclear; and what was found is said."""

import csv

import pytest

from slipway.pipeline.errors import BadInput
from slipway.pipeline.separated import dialect

ROWS = [["age", "height", "name"], *([str(20 + at), f"1.{70 + at}", "a, b; c" if at % 7 else "d"] for at in range(20))]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize(("encoding", "said"), [("utf-8", ""), ("utf-8-sig", "byte order mark"), ("utf-16", "UTF-16")])
def test_separator_decimal_sign_and_encoding_are_found(tmp_path, separator, decimal, encoding, said):
    with (file := tmp_path / "a.csv").open("w", encoding=encoding, newline="") as text:
        rows = [[row[0], row[1].replace(".", decimal), row[2]] for row in ROWS]
        csv.writer(text, delimiter=separator).writerows(rows)
    found = dialect(file)
    assert (found.separator, found.decimal, found.encoding) == (separator, decimal, encoding)
    assert said in found.found
    assert ("decimal comma" in found.found) == (decimal == ",")
    assert ("columns split at" in found.found) == (separator != ",")


def test_commas_in_a_column_of_words_say_nothing_of_the_numbers(tmp_path):
    (tmp_path / "a.csv").write_text('x,y\n"1,5",1.5\n"rather 2,5",2.5\n')
    assert dialect(tmp_path / "a.csv").decimal == "."


def test_one_column_has_no_separator_to_be_found(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1.5\n2.5\n")
    assert dialect(tmp_path / "a.csv").found == ""
    (tmp_path / "a.csv").write_text("x\n1,5\n2,5\n")
    found = dialect(tmp_path / "a.csv")
    assert (found.separator != ",", found.found) == (True, "decimal comma")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b\n1.234,5;2\n", "'1.234,5' groups its thousands"),
        ("a;b\n1,234;2\n5,678;3\n", "'1,234' can be read as 1234 or 1.234"),
        ("a;b\n1,5;2.5\n", "'1,5' and '2.5': write all fractions with a point, or with a comma"),
        (b"a;b\n\xfc;2\n", "is not UTF-8"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(tmp_path, text, message):
    (tmp_path / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput, match=message):
        dialect(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("a;b\n0,234;2\n5,678;3\n")
    assert dialect(tmp_path / "a.csv").decimal == ","
