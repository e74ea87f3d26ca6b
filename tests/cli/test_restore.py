"""The recovery table of docs/recovery.md, row by row on the real engine: what is seen, and that it is healed.

The thorough form, with a second update after each, is `python -m tests.standins.recovery_table`.
"""

import pytest

from tests.standins.recovery_table import CASES, PAGE, PROGRAM, outcome
from tests.standins.throwaway import Throwaway

pytestmark = pytest.mark.engine

# What a dying provider or engine leaves, tests/standins/test_engine.py heals in a larger stack.
HERE = [each for each in CASES if "killed" not in each.what and "ended after its work" not in each.what]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Throwaway(tmp_path_factory.mktemp("stack"), PROGRAM) as stack:
        stack.up()
        yield stack


@pytest.mark.parametrize("case", HERE, ids=lambda case: case.what)
def test_what_happened_is_seen_and_healed_and_the_page_says_so(case, stack):
    found = outcome(case, stack, thorough=False)
    assert found.problem == ""
    assert found.row in PAGE.read_text()


def test_every_row_is_in_the_page():
    assert [each.what for each in CASES if f"| {each.what} |" not in PAGE.read_text()] == []
