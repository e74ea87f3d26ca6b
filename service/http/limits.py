"""What the connections of one port may hold together, and which of them goes first where that is not enough."""

import ctypes
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slipway.service.encoding import encode
from slipway.service.errors import Refused
from slipway.service.exchange import JSON, ASGIApp, Receive, Scope, Send
from slipway.service.settings import Settings

if TYPE_CHECKING:
    from slipway.service.http.connection import Protocol

# What a connection takes that holds nothing: transport, parser, and what is left of its last request.
CONNECTION_BYTES = 7500
# Connections over the cap, where none can be ended: their probes are answered.
_SPARE = 64
# Bytes of strangers that came, after which what is free again is given back: gaps of that size are left at most.
_GAPS = 16_000_000
# A choice of connections to end is used for so long: whether they may still be ended is looked at again.
_FRESH_SECONDS = 0.05


class Limits:
    """The connections of one port and what they are held to; `sweep` is to be called about once a second.

    `budget`: bytes of all connections together, counted as they come: connections, heads and bodies of requests that
    are not answered yet, answers that are not taken yet. `probes`: paths that are answered whatever the load.
    `counted` gets each new number of connections. `gaps`: bytes that came from strangers since the memory of what they
    left was given back.
    """

    def __init__(
        self, settings: Settings, budget: int, probes: frozenset[str], counted: Callable[[int], None] = lambda _: None
    ) -> None:
        self.settings, self.budget, self.held = settings, budget, 0
        self._probes, self._counted = probes, counted
        self._open: set[Protocol] = set()
        self._ending: set[Protocol] = set()
        self._arriving = 0
        self._chosen: list[tuple[int, Protocol]] = []
        self._any, self._chosen_until = True, 0.0
        self.gaps = 0

    def protocol(self, *args: Any, **kwargs: Any) -> "Protocol":
        """Makes a connection's protocol; stands in for uvicorn's class."""
        from slipway.service.http.connection import Protocol

        return Protocol(self, *args, **kwargs)

    def arrive(self) -> None:
        """Count a connection that was accepted and is not set up yet: workers compare their counts at each one."""
        self._arriving += 1
        self._counted(len(self._open) + self._arriving)

    def enter(self, connection: "Protocol") -> bool:
        """Count a connection in; False where it is one too many and no other can be ended for it."""
        self._arriving = max(0, self._arriving - 1)
        if self._is_full(self.budget, CONNECTION_BYTES):
            self.make_room(CONNECTION_BYTES)
        self._open.add(connection)
        self.held += CONNECTION_BYTES
        self._counted(len(self._open) + self._arriving)
        over = len(self._open) - self.settings.max_connections
        if over > _SPARE:
            connection.end()
        return over <= 0

    def leave(self, connection: "Protocol") -> None:
        """Count a connection out, and all it holds; once."""
        self._ending.discard(connection)
        if connection in self._open:
            self._open.discard(connection)
            self.held -= CONNECTION_BYTES + connection.held
            connection.held = 0
            self._counted(len(self._open) + self._arriving)

    def see_off(self, connection: "Protocol") -> None:
        """Count a connection out that is being closed; it is cut where its client does not let it close."""
        self.leave(connection)
        self._ending.add(connection)

    def make_room(self, coming: int = 0) -> None:
        """End connections until an eighth of the budget is free; leaves those alone whose request is in work.

        `coming`: bytes of a connection that is to be counted in.
        """
        if self.held + coming > self.budget:
            self.tidy()
            self.gaps = _GAPS
        now = time.monotonic()
        while self._is_full(self.budget * 7 // 8, coming):
            victim = self._next(now)
            if victim is None:
                return
            victim.end()

    def tidy(self) -> None:
        """Give back the memory of what strangers sent, where it was much; to be called some times a second.

        The C library keeps it otherwise, in gaps that the next flood does not fit in.
        """
        if self.gaps >= _GAPS:
            self.gaps = 0
            _trim(0)

    def sweep(self) -> None:
        """End connections whose client takes too long: over a head, a body, an answer, all of it, or the next one."""
        now = time.monotonic()
        for connection in [each for each in self._ending if now - each.ended > 1]:
            self._ending.discard(connection)
            connection.transport.abort()
        for connection in list(self._open):
            connection.check(now, self.settings)

    def only_probes(self, app: ASGIApp) -> ASGIApp:
        """`app` for a connection that is one too many."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] in self._probes:
                await app(scope, receive, send)
                return
            refused = Refused(503, "too_many_connections", "this process has all the connections it takes")
            body = encode(refused.body())
            headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
            headers += [(b"connection", b"close"), (b"retry-after", b"1")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        return answer

    def _is_full(self, budget: int, coming: int) -> bool:
        return self.held + coming > budget or len(self._open) + bool(coming) > self.settings.max_connections

    def _next(self, now: float) -> "Protocol | None":
        """The connection to end next; one look at all of them serves for an eighth of them."""
        if now > self._chosen_until:
            self._choose(now)
        while self._any:
            while self._chosen:
                kind, connection = self._chosen.pop()
                rank = connection.rank(now) if connection in self._open else None
                if rank is not None and rank[0] <= kind:
                    return connection
            self._choose(now)
        return None

    def _choose(self, now: float) -> None:
        ranked = [(rank, each) for each in self._open if (rank := each.rank(now)) is not None]
        ranked.sort(key=lambda pair: pair[0])
        self._chosen = [(rank[0], each) for rank, each in ranked[: len(ranked) // 8 + 1]]
        self._chosen.reverse()
        # Where there was none to end, nothing is looked for again until then.
        self._any, self._chosen_until = bool(ranked), now + _FRESH_SECONDS


# Of glibc; others have nothing like it.
_trim: Callable[[int], object] = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)
