"""The reader of numbers takes JSON, all of it and nothing else."""

import pytest

from tests.service.json_bodies import Compared, differences

NOT_JSON = [
    "[[1,2,3,]4]", "4[1,2,3,]", "[1,2,3,4]5", "[[1,2,3,4]5,[1,2,3,4]]", "[[1,2,3,4],6[1,2,3,4]]", "[1,2,3[,4]]",
    "-[1,2,3,4]", "0.[1,2,3,4]", "[1,2,3,4]e5", "[1,2,3,4].0", "[1 2,3,4]", "[1,2,3,+4]", "[01,2,3,4]",
]  # fmt: skip


def test_a_million_bodies_like_these_are_read_as_a_json_library_reads_them():
    """`make test-faults` takes the million."""
    good, found = differences(6000, seed=1)
    assert not found
    assert good > 500


@pytest.mark.parametrize("text", NOT_JSON)
def test_brackets_and_numbers_in_the_wrong_places_are_no_json(text):
    body = f'{{"inputs":{{"x":{text}}}}}'.encode()
    compared = Compared((4,), "float32")
    assert compared.difference(body) is None
    assert compared.difference(body.replace(text.encode(), b"[1,2,3,4]")) is None


def test_a_difference_would_be_seen(monkeypatch):
    compared = Compared((2,), "float32")
    assert compared.difference(b'{"inputs":{"x":[[1,]2]}}') is None
    monkeypatch.setattr("slipway.service.samples.fast_json._is_astray", lambda *_: False)
    assert "read (200" in compared.difference(b'{"inputs":{"x":[[1,]2]}}')
