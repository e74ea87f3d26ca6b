"""Drift, and the recovery table of docs/recovery.md row by row, on the real engine: what is seen, and what heals it.

The whole table, with a second update after each row, is `python -m tests.faults.recovery_table`, a
part of `make test-faults`.
"""

import pytest

from slipway.simulator.throwaway import Throwaway
from tests.faults.recovery_table import CASES, PAGE, PROGRAM, outcome

pytestmark = pytest.mark.engine

# What dying providers and engines leave, test_engine.py heals in a larger stack; the others take a minute each.
ELSEWHERE = ("killed", "ended after its work", "nodes failed", "old version", "comes up again")
HERE = [each for each in CASES if not any(words in each.what for words in ELSEWHERE)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Throwaway(tmp_path_factory.mktemp("stack"), PROGRAM) as stack:
        stack.up()
        yield stack


def test_drift_tells_what_is_changed_and_what_is_gone_and_touches_nothing(stack):
    def drift(**fails):
        (file,) = (stack.folder / "state" / ".pulumi" / "stacks").rglob("example.json")
        before, books = file.read_bytes(), stack.books.all()
        said = stack.slipway("drift", **fails)
        assert (file.read_bytes(), stack.books.all()) == (before, books)
        return said

    assert drift().splitlines()[0] == "example: as the last update left it"
    (vpc,), (images,) = ([each for each in stack.books.all() if each["name"] == name] for name in ("vpc", "images"))
    stack.books.put({**vpc, "inputs": {**vpc["inputs"], "enableDnsSupport": False}})
    stack.books.remove(images["type"], images["id"])
    said = drift(fails=True)
    assert sorted(said.splitlines()[:2]) == ["Repository images: gone", "Vpc vpc: changed: enableDnsSupport"]
    assert "To put it back: make up STACK=example." in said
    stack.books.put(vpc)
    stack.books.put(images)
    assert drift().splitlines()[0] == "example: as the last update left it"


@pytest.mark.parametrize("case", HERE, ids=lambda case: case.what)
def test_what_happened_is_seen_and_healed_and_the_page_says_so(case, stack):
    found = outcome(case, stack, thorough=False)
    assert found.problem == ""
    assert found.row in PAGE.read_text()


def test_every_row_is_in_the_page():
    assert [each.what for each in CASES if f"| {each.what} |" not in PAGE.read_text()] == []
