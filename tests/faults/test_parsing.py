"""What callers write, at full size: a million bodies that are nearly JSON, and requests of every kind over the wire."""

import os
import time
from collections import Counter

from tests.service import json_bodies
from tests.service.wire_cases import MAKERS, TEXTS
from tests.service.wire_fuzz import Fuzz

BODIES = 1_000_000
# SLIPWAY_FUZZ_CASES changes it; the row says how many there were.
CASES = int(os.environ.get("SLIPWAY_FUZZ_CASES", 200_000))


def test_a_million_bodies_are_read_as_json_libraries_read_them(found):
    begin = time.monotonic()
    good, differences = json_bodies.differences(BODIES, seed=20)
    found(
        "F6 bodies that are nearly JSON",
        f"{BODIES:,} mutated, {len(json_bodies.SHAPES)} shapes of {len(json_bodies.DTYPES)} dtypes, beside orjson and "
        f"Python's json, {time.monotonic() - begin:.0f} s",
        f"{len(differences)} differences; {good:,} were JSON that the model takes",
    )
    assert not differences


def test_requests_with_structure_find_no_failure(start, artifacts, tmp_path, found):
    begin, fuzz = time.monotonic(), Fuzz(start, artifacts, tmp_path)
    fuzz.run("classifier", CASES * 9 // 10, seed=19)
    fuzz.run("echo", CASES // 10, seed=20)
    statuses = sum((Counter({status: count}) for (_, status), count in fuzz.statuses.items()), Counter())
    failed = sum(count for status, count in statuses.items() if status >= 500 or status < 0)
    found(
        "F6 requests with structure",
        f"{', '.join(maker.__name__ for maker in MAKERS + TEXTS)}; over the wire, {time.monotonic() - begin:.0f} s",
        f"{statuses.total():,} cases: {failed} answers 5xx or none, {len(fuzz.wrong) - failed} other than is right; "
        f"{fuzz.right:,} answered with the model's own answer",
    )
    assert statuses.total() == CASES
    assert not fuzz.wrong, "\n".join(fuzz.wrong[:20])
    assert not fuzz.failures
