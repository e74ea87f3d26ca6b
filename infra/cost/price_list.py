"""What a price list's figures become: rows of the price table, each with its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import httpx
from slipway.infra.errors import Unanswered

WAIT = httpx.Timeout(60, connect=5)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """US dollars of an item (`aws/instance/g6.xlarge`) in a region; `per` as the table has it. `dated`: by the list;
    `at`: its address."""

    item: str
    region: str
    per: str
    usd: Decimal
    dated: str
    at: str


def unreachable(url: str, error: Exception) -> Unanswered:
    """With what was answered, or why nothing was."""
    why = str(error) or type(error).__name__
    if isinstance(error, httpx.HTTPStatusError):
        why = f"it answers {error.response.status_code}"
    return Unanswered(f"{url} can't be read from here: {why}. The price table is as it was")


def lines_of(url: str) -> Iterator[str]:
    """The lines of a file that may be far bigger than memory. Raises Unanswered."""
    try:
        with httpx.stream("GET", url, timeout=WAIT, follow_redirects=True) as answer:
            answer.raise_for_status()
            yield from answer.iter_lines()
    except httpx.HTTPError as error:
        raise unreachable(url, error) from None


def json_of(url: str, headers: Mapping[str, str]) -> dict[str, object]:
    """Raises Unanswered."""
    try:
        answer = httpx.get(url, headers=dict(headers), timeout=WAIT)
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise unreachable(url, error) from None
    return found
