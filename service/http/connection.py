"""uvicorn's HTTP protocol with limits: on connections, on the size of a head, and on the time a client may take."""

import asyncio
import time
from functools import partial
from typing import Any

from slipway.service.encoding import encode
from slipway.service.errors import Refused
from slipway.service.exchange import REPLY
from slipway.service.settings import Settings
from slipway.service.telemetry.metrics import Metrics
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

_HEAD_BYTES = 65_536


class Limits:
    """The connections of one process and what they are held to; `sweep` is to be called about once a second."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._open: set[Protocol] = set()
        self._arriving = 0

    def protocol(self, *args: Any, **kwargs: Any) -> "Protocol":
        """Makes a connection's protocol; stands in for uvicorn's class."""
        return Protocol(self, *args, **kwargs)

    def arrive(self) -> None:
        """Count a connection that was accepted and is not set up yet: workers compare their counts at each one."""
        self._arriving += 1
        self._metrics.connections(len(self._open) + self._arriving)

    def enter(self, connection: "Protocol") -> bool:
        """Count a connection in; False where it is one too many."""
        self._arriving -= 1
        self._open.add(connection)
        self._metrics.connections(len(self._open) + self._arriving)
        return len(self._open) <= self._settings.max_connections

    def leave(self, connection: "Protocol") -> None:
        self._open.discard(connection)
        self._metrics.connections(len(self._open) + self._arriving)

    def sweep(self) -> None:
        """End connections whose client takes too long over a request's head or over reading its answer."""
        now = time.monotonic()
        for connection in list(self._open):
            if connection.head_since and now - connection.head_since > self._settings.header_seconds:
                connection.refuse(Refused(408, "head_too_slow", "the request's head did not arrive in time"))
            connection.check_reader(now, self._settings.body_seconds)


class Protocol(HttpToolsProtocol):
    """One connection; owned by uvicorn, counted and timed by Limits."""

    def __init__(self, limits: Limits, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        # When the head that is expected or arriving began; 0 while none is.
        self.head_since = time.monotonic()
        self._head_bytes = 0
        self._unread_since, self._unread = 0.0, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._limits.enter(self):
            self.refuse(Refused(503, "too_many_connections", "this process has all the connections it takes"), 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._limits.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.head_since:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self.refuse(Refused(431, "head_too_large", f"the request's head is larger than {_HEAD_BYTES:,} bytes"))

    def on_message_begin(self) -> None:
        self.head_since, self._head_bytes = time.monotonic(), 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head_since = 0.0
        super().on_headers_complete()
        self.scope[REPLY] = partial(_reply, self.cycle)  # type: ignore[literal-required]

    def send_400_response(self, msg: str) -> None:
        self.refuse(Refused(400, "malformed_http", msg))

    def refuse(self, refused: Refused, retry_after: int | None = None) -> None:
        """Answer without a request and close; in the middle of another answer only close."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = encode(refused.body())
            again = b"retry-after: %d\r\n" % retry_after if retry_after else b""
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
            self.transport.write(b"".join([STATUS_LINE[refused.status], head, again, b"\r\n", body]))
        self.head_since = 0.0
        self.transport.close()

    def check_reader(self, now: float, seconds: float) -> None:
        """Cut a client off that leaves its answer unread for `seconds`."""
        unread = self.transport.get_write_buffer_size()
        if unread == 0 or unread < self._unread or not self._unread_since:
            self._unread_since, self._unread = (now if unread else 0.0), unread
        elif now - self._unread_since > seconds:
            self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        # The parser takes what follows for another protocol: this connection's next request would hang.
        if self.cycle is not None:
            self.cycle.keep_alive = False


def _reply(cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
    """Answer whole in one write; False, and nothing done, where the way over ASGI's two messages is needed.

    Those two cost a fifth of a small request: `headers` are our own and need no check.
    """
    if cycle.disconnected or cycle.response_started or cycle.flow.write_paused:
        return False
    parts = [STATUS_LINE[status]]
    for name, value in (*cycle.default_headers, *headers):
        if name == b"connection":
            cycle.keep_alive = False
        else:
            parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    if cycle.scope["method"] != "HEAD":
        parts.append(body)
    cycle.transport.write(b"".join(parts))
    cycle.response_started = cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True
