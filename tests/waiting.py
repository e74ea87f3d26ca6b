"""Waiting for what comes to pass by itself."""

import time
from collections.abc import Callable


def until(there: Callable[[], object], seconds: float = 30, otherwise: object = "it did not come to pass") -> None:
    """Raises AssertionError after `seconds`, with `otherwise` as it is by then."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, str(otherwise)
        time.sleep(0.05)
