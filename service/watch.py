"""What a process does again and again beside its requests: it goes on whatever happens in a turn."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType

_log = logging.getLogger("slipway.watch")


class Guard:
    """`with guard:` around each turn. What it raises ends this turn alone, and is logged if it is not what the turn
    before raised."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._last: tuple[type[BaseException], int] | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        seen = (kind, trace.tb_lineno) if kind and trace else None
        if error and isinstance(error, Exception) and seen != self._last:
            _log.error("%s failed, and goes on", self._what, exc_info=error)
        self._last = seen
        return isinstance(error, Exception)


async def every(seconds: float, turn: Callable[[], Awaitable[object]], what: str) -> None:
    """Awaits `turn` for ever, with a pause before each."""
    guard = Guard(what)
    while True:
        await asyncio.sleep(seconds)
        with guard:
            await turn()
