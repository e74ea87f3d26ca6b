"""When a request is sent again: a generator that says what to do next, for drivers with and without await."""

import random
from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from time import monotonic

import httpx

from .errors import DeadlineExceeded, Unreachable, refused
from .spans import sent

# Answers after which nothing was done, or nothing that doing it again would harm.
_AGAIN = frozenset((429, 502, 503, 504))
# Of these also what must not be done twice: the service refuses before it begins.
_NOT_BEGUN = frozenset((429, 503))
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often and after how long, in seconds: random pauses of up to `first`, twice that, and so on to `longest`
    ("full jitter": Brooker, Exponential Backoff And Jitter, AWS Architecture Blog 2015), on top of Retry-After."""

    attempts: int = 8
    first: float = 0.05
    longest: float = 2.0

    def pause(self, attempt: int, retry_after: float | None) -> float:
        spread: float = random.uniform(0, min(self.longest, self.first * 2**attempt))  # noqa: S311 - no secret
        return (retry_after or 0.0) + spread


NEVER = Retry(attempts=1)


@dataclass(frozen=True)
class Send:
    """To be done: send this and hand in the response, or the httpx.TransportError."""

    request: httpx.Request
    seconds: float


@dataclass(frozen=True)
class Wait:
    """To be done: nothing, for so long."""

    seconds: float


Steps = Generator[Send | Wait, httpx.Response | httpx.TransportError | None, httpx.Response]


def attempts(request: httpx.Request, retry: Retry, seconds: float, *, repeatable: bool) -> Steps:
    """Returns the first good answer; raises Refused, Unreachable or DeadlineExceeded after the last attempt.

    `repeatable`: doing it twice does no harm.
    """
    end = monotonic() + seconds
    for attempt in count():
        with sent(request, attempt) as note:
            outcome = yield Send(request, max(end - monotonic(), 0.001))
            note(outcome)
        if isinstance(outcome, httpx.Response):
            if outcome.is_success:
                return outcome
            error: Exception = refused(outcome)
            again = outcome.status_code in (_AGAIN if repeatable else _NOT_BEGUN)
            after = error.retry_after  # type: ignore[attr-defined]
        else:
            error = Unreachable(f"{request.url.host}:{request.url.port}: {outcome or type(outcome).__name__}")
            error.__cause__, after = outcome, None
            again = repeatable or isinstance(outcome, _NOT_SENT)
        pause = retry.pause(attempt, after)
        if monotonic() >= end or (again and monotonic() + pause >= end):
            raise DeadlineExceeded(f"no answer within {seconds:g} seconds; the last attempt: {error}") from error
        if not again or attempt + 1 >= retry.attempts:
            raise error
        yield Wait(pause)
    raise AssertionError
