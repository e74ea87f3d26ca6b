"""Requests a second, for each of many callers, in bounded memory."""

import math
import time

_MOST = 10_000


class RateLimit:
    """A limit for each name: `per_second` in the long run, and a burst of one second's worth at once.

    Counted in this process alone. Of more than 10,000 names the one that asked first is forgotten.
    """

    def __init__(self, per_second: float) -> None:
        self._step = 1 / per_second
        self._burst = max(1.0, self._step) - self._step
        self._next: dict[str, float] = {}  # when a name's requests so far are worked off

    def take(self, name: str) -> int:
        """Count a request; 0, or the seconds after which to come again where it is one too many."""
        now = time.monotonic()
        known = self._next.get(name, 0.0)
        if known - now > self._burst:
            return max(1, math.ceil(known - now - self._burst))
        if len(self._next) >= _MOST and name not in self._next:
            del self._next[next(iter(self._next))]
        self._next[name] = max(known, now) + self._step
        return 0
