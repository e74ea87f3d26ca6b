"""What callers write, at full size: a million bodies that are nearly JSON."""

import time

from tests.service import json_bodies

BODIES = 1_000_000


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
