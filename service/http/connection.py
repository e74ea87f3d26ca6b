"""One connection: uvicorn's HTTP protocol, held to limits on what a client may have us keep and for how long."""

import asyncio
import time
from functools import partial
from typing import Any

import httptools
from slipway.service.encoding import encode
from slipway.service.errors import Refused
from slipway.service.exchange import LEFT, MAY_LEAVE, REPLY, ClientLeft
from slipway.service.http.limits import CONNECTION_BYTES, Limits
from slipway.service.settings import Settings
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

_HEAD_BYTES = 65_536
# A line of a head takes about as much as objects, however short it is.
_HEAD_LINES, _LINE_BYTES = 128, 150
# Of chunk extensions and trailers, without a byte of body between them.
_FRAME_BYTES = 65_536
# Whole requests that wait for the answers to those before them, and what the objects of one take.
_PIPELINED, _REQUEST_BYTES = 32, 4096
# Of an answer, beyond what the kernel takes; more is counted.
_UNREAD_BYTES = 4096
# A client that sends on after its answer is listened to this long, so that it reads the answer and not a reset.
_LINGER_SECONDS = 1.0
# Between two large reads of what is dropped: libuv takes up to 8 MB of one connection before it turns to the others.
_PAUSE_BYTES, _PAUSE_SECONDS = 65_536, 0.005
# The slowest that an answer of any size may be taken.
_BYTES_PER_SECOND = 65_536


class _Trailers(list[tuple[bytes, bytes]]):
    """Where what the parser calls headers goes once the head is over: they would pass for headers behind the back of
    whoever checked those."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Drop it."""


_TRAILERS = _Trailers()


class Protocol(HttpToolsProtocol):
    """One connection; owned by uvicorn, counted and timed by Limits.

    `held`: the bytes of requests that are not answered and of answers that are not taken. `ended`: when it was closed
    for the others' sake.
    """

    def __init__(self, limits: Limits, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self.held, self.ended = 0, 0.0
        self.headers = _TRAILERS
        # When the head that is expected or arriving began, 0 while none is; then when its request began.
        self._head_since = self._began = time.monotonic()
        self._answered_at = 0.0
        self._head_bytes = self._head_lines = self._head_held = self._frame_bytes = 0
        # An answer that is not taken: since when, how large it was then, and how much of it is counted as held.
        self._unread_since, self._unread, self._unread_held = 0.0, 0, 0
        self._lingers = self._deaf = False  # deaf: what comes is dropped, unparsed
        self._is_known = False  # was answered more than a stranger is
        # The request that is being answered; uvicorn's `cycle` is the one that was parsed last.
        self._working: RequestResponseCycle | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_UNREAD_BYTES)
        if not self._limits.enter(self):
            self.app = self._limits.only_probes(self.app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything; a wait for the model ends here."""
        self._limits.leave(self)
        self._deaf = True
        self.pipeline.clear()
        working, self._working, task = self._working, None, self._task
        super().connection_lost(exc)
        if working is not None and not working.response_complete:
            working.disconnected = True
            working.message_event.set()
            if task is not None and working.scope.get(MAY_LEAVE):
                task.cancel(LEFT)
        self.cycle = self._task = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        size, cycle, limits = len(data), self.cycle, self._limits
        if self._deaf:
            if size > _PAUSE_BYTES:
                self._pause()
            return
        if self.transport.is_closing():
            return
        within = cycle is not None and cycle.more_body
        self.held += size
        limits.held += size
        self._frame_bytes += size
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self._head_since:
            self._go_on_with_head(size, only_head=cycle is self.cycle and not within)
        elif self.cycle is not None and self.cycle.more_body:
            self._hold(2 * size)  # what grows is copied, and leaves gaps: at worst it takes three times as much
            if self._frame_bytes > _FRAME_BYTES:
                most = f"{_FRAME_BYTES:,} bytes of chunks without body"
                self.refuse(Refused(431, "trailers_too_large", f"the body has more than {most}"))
        if limits.held > limits.budget:
            limits.make_room()
        if not self._is_known:
            limits.gaps += size
            limits.tidy()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since, self._unread = time.monotonic(), self.transport.get_write_buffer_size()
        if not self.ended:
            self._unread_held = self._unread
            self._hold(self._unread_held)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._release(self._unread_held)
        self._unread_since, self._unread, self._unread_held = 0.0, 0, 0

    # What the parser calls. An exception ends its work on what has come.

    def on_message_begin(self) -> None:
        self._head_since = time.monotonic()
        self._head_bytes = self._head_lines = self._head_held = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if len(self.headers) > _HEAD_LINES:
            self._refuse_head()
            raise _Enough
        waiting = self.pipeline
        if len(waiting) >= _PIPELINED:
            # Those that wait are answered, the last of them with `connection: close`: the client asks again.
            self.cycle.keep_alive, self._deaf = False, True
            raise _Enough
        self._began, self._head_since, self._frame_bytes = self._head_since, 0.0, 0
        super().on_headers_complete()
        self.scope[REPLY] = partial(self._reply, self.cycle)  # type: ignore[literal-required]
        lines, self.headers = len(self.headers), _TRAILERS
        if waiting:
            self._hold(_REQUEST_BYTES + _LINE_BYTES * lines)
            self.flow.resume_reading()  # a client that leaves is not noticed otherwise

    def on_body(self, body: bytes) -> None:
        self._frame_bytes = 0
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        cycle = self.cycle
        cycle.more_body = False
        cycle.message_event.set()

    # What uvicorn calls.

    def on_response_complete(self) -> None:
        """Go on with the next request that has come, or wait for one."""
        working, waiting = self._working, self.pipeline
        self._working = self._task = None
        if working is not None and working.body:
            working.body.clear()
        if waiting or self._head_since or self._unread_held:
            kept = self._unread_held + (self._head_held if self._head_since else 0)
            self._release((self.held - kept) // (len(waiting) + 1))
        else:
            self._limits.held -= self.held
            self.held = 0
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if waiting:
            self._start_asgi_task(*waiting.pop())
        else:
            if self.cycle.more_body:
                self._lingers = self._deaf = True
            self._answered_at = time.monotonic()
            if not self._head_since:
                self.cycle.scope = self.scope = None  # type: ignore[assignment]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._working = cycle
        task = self._task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def send_400_response(self, msg: str) -> None:
        self.refuse(Refused(400, "malformed_http", msg))

    def _unsupported_upgrade_warning(self) -> None:
        # The parser takes what follows for another protocol: this connection's next request would hang.
        if self.cycle is not None:
            self.cycle.keep_alive = False

    # What Limits calls.

    def refuse(self, refused: Refused, retry_after: int | None = None) -> None:
        """Answer instead of the application and close; in the middle of an answer only close.

        Earlier requests that wait for their answers get them first.
        """
        if self._deaf:
            return
        self._deaf, self._head_since = True, 0.0
        self.scope, self.headers = None, _TRAILERS  # type: ignore[assignment]
        cycle = self.cycle
        if cycle is not None and not (cycle.response_complete or cycle.more_body):
            cycle.keep_alive = False
            return
        if cycle is None or cycle.response_complete:
            self._answer(refused, retry_after)
        elif cycle is self._working and not cycle.response_started:
            self._answer(refused, retry_after)
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def rank(self, now: float) -> tuple[int, float] | None:
        """How soon this connection is to be ended for others, smallest first; None while its request is in work.

        First those that send on after their answer, then what is unfinished for long, idle ones, what is unfinished,
        and idle ones whose client is known. Within these the most bytes for the longest time.
        """
        cycle = self.cycle
        if self._lingers:
            kind, since = 0, self._began
        elif self._unread_since or self._head_since or self.pipeline:
            since = self._unread_since or self._head_since or self._began
            kind = 1 if now - since > 1 else 3
        elif cycle is None:
            return 0, 0.0
        elif cycle.response_complete:
            kind, since = 4 if self._is_known else 2, self._answered_at
        elif cycle.more_body:
            kind, since = 1 if now - self._began > 1 else 3, self._began
        else:
            return None
        return kind, (since - now) * (self.held + CONNECTION_BYTES)

    def end(self) -> None:
        """Close for the others' sake: with a refusal where it is awaited and heard."""
        self.ended = time.monotonic()
        if (self._head_since and self._head_bytes) or (self.cycle is not None and self.cycle.more_body):
            self.refuse(Refused(503, "overloaded", "others need the room that this request takes"), 1)
        self._deaf = True
        # The connection is lost later, after others were read: until then it would hold what is no longer counted.
        self.parser = self.scope = None  # type: ignore[assignment]
        self.headers = _TRAILERS
        if self.cycle is not None:
            self.cycle.body.clear()
        self._limits.see_off(self)
        if self._unread_since or self.pipeline:
            self.transport.abort()
        else:
            self.transport.close()

    def check(self, now: float, settings: Settings) -> None:
        """Close where the client takes longer than it may."""
        cycle = self.cycle
        if self._is_unread(now, settings.body_seconds):
            self.transport.abort()
        elif self.transport.is_closing():
            pass
        elif self._head_since:
            if now - self._head_since > settings.header_seconds:
                self.refuse(Refused(408, "head_too_slow", "the request's head did not arrive in time"))
        elif cycle is None:
            pass
        elif self._lingers:
            if now - self._answered_at > _LINGER_SECONDS:
                self._close()
        elif cycle.response_complete:
            if now - self._answered_at > settings.keep_alive_seconds:
                self._close()
        elif cycle.more_body and now - self._began > settings.header_seconds + settings.body_seconds:
            self.refuse(Refused(408, "body_too_slow", "the body did not arrive in time"))
        elif now - self._began > settings.exchange_seconds:
            self.transport.abort()

    def _go_on_with_head(self, size: int, *, only_head: bool) -> None:
        """Count `size` bytes that ended within a head; what came before it in them can't be told apart."""
        lines = len(self.headers)
        more = size + _LINE_BYTES * (lines - self._head_lines)  # it is copied as it grows, as a body is
        self._hold(more)
        self._head_lines, self._head_held = lines, self._head_held + size + more
        if only_head:
            self._head_bytes += size
        if self._head_bytes > _HEAD_BYTES or lines > _HEAD_LINES:
            self._refuse_head()

    def _pause(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_later(_PAUSE_SECONDS, self._listen)

    def _listen(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _refuse_head(self) -> None:
        most = f"{_HEAD_BYTES:,} bytes or {_HEAD_LINES} lines"
        self.refuse(Refused(431, "head_too_large", f"the request's head is larger than {most}"))

    def _hold(self, size: int) -> None:
        self.held += size
        self._limits.held += size

    def _release(self, size: int) -> None:
        size = min(size, self.held)  # after `leave` nothing is held
        self.held -= size
        self._limits.held -= size

    def _answer(self, refused: Refused, retry_after: int | None) -> None:
        body = encode(refused.body())
        again = b"retry-after: %d\r\n" % retry_after if retry_after else b""
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
        self.transport.write(b"".join([STATUS_LINE[refused.status], head, again, b"\r\n", body]))

    def _close(self) -> None:
        self._deaf = True
        self.transport.close()

    def _is_unread(self, now: float, seconds: float) -> bool:
        unread = self.transport.get_write_buffer_size()
        if not unread:
            self._unread_since, self._unread = 0.0, 0
            return False
        if not self._unread_since:
            self._unread_since, self._unread = now, unread
        return now - self._unread_since > seconds + self._unread / _BYTES_PER_SECOND

    def _reply(self, cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Answer whole in one write; False, and nothing done, where the way over ASGI's two messages is needed.

        Those two cost a fifth of a small request: `headers` are our own and need no check. Raises ClientLeft.
        """
        if cycle.disconnected:
            raise ClientLeft
        if cycle.response_started or cycle.flow.write_paused:
            return False
        if cycle.more_body:
            cycle.keep_alive = False  # what still comes is dropped, for a while
        parts = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            if name == b"connection":
                cycle.keep_alive = False
            else:
                parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        method = cycle.scope["method"]
        if method != "HEAD":
            parts.append(body)
        if status == 200 and method == "POST":
            self._is_known = True
        cycle.transport.write(b"".join(parts))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive and not cycle.more_body:
            cycle.transport.close()
        cycle.on_response()
        return True


class _Enough(Exception):
    """Stops the parser."""
