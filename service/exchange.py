"""The little of HTTP over ASGI that the hot path needs: one request, its body and its response."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from slipway.service.compression import TAKEN, coding_of, is_asked, is_worth, packed, unpacked
from slipway.service.encoding import encode
from slipway.service.errors import Refused
from slipway.service.numbers import whole

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[bytes, bytes]

# The key in an ASGI scope of a function that answers whole in one go, where the server has one.
REPLY = "slipway.reply"
# The key in an ASGI scope of the trace's id, 32 digits, where the request is traced.
TRACE_ID = "slipway.trace_id"
# The key in an ASGI scope of whether the request's task may be cancelled once its client has left, and how it is told.
MAY_LEAVE, LEFT = "slipway.may_leave", "the client has left"
TOKEN = b"x-prediction-token"
JSON, RAW, NPY = b"application/json", b"application/octet-stream", b"application/x-npy"
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


class ClientLeft(Exception):
    """The client closed the connection before its answer was ready."""


def content_kind(headers: Headers, kinds: tuple[bytes, ...]) -> bytes:
    """Which of `kinds` the body is, by its headers. Raises Refused (415) unless it is in UTF-8, packed as we unpack."""
    announced = headers.get(b"content-type", b"")
    if announced not in kinds:
        announced, _, parameters = announced.partition(b";")
        announced = announced.strip().lower()
        if announced not in kinds:
            accepted = " or ".join(kind.decode() for kind in kinds)
            raise Refused(415, "wrong_content_type", f"send a body with the content-type {accepted}")
        charset = parameters.strip().lower()
        if charset.startswith(b"charset=") and charset[8:].strip(b'"') not in (b"utf-8", b"us-ascii"):
            raise Refused(415, "wrong_charset", "send JSON in UTF-8")
    if b"content-encoding" in headers:
        coding_of(headers)
    return announced


class Exchange:
    """One request and its one response; `headers` go with the response, whichever it is."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, new_id: bytes, draining: bool) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        # Out of the scope, which it refers to itself: the two would wait for the garbage collector.
        self._whole = scope.pop(REPLY, None)
        self.given: Headers = dict(scope["headers"])
        given_id = self.given.get(b"x-request-id")
        self.id_is_given = given_id is not None and _REQUEST_ID.fullmatch(given_id) is not None
        self.request_id = given_id if given_id is not None and self.id_is_given else new_id
        self.headers = [(b"x-request-id", self.request_id)]
        self.caller, self.body = "", b""  # who asks, and the body where it is to be logged
        if draining:
            self.headers.append((b"connection", b"close"))
        self.started = False

    async def read(self, limit: int, seconds: float) -> bytes:
        """The request's body of at most `limit` bytes, which must be there within `seconds`.

        Raises Refused (413 as soon as the announced or received size is over the limit, 408) and ClientLeft.
        """
        if whole(self.given.get(b"content-length", b"0"), limit) is None:
            raise _too_large(limit)
        message = await self.receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            body, message = await self._rest(body, limit, seconds)
        if message["type"] == "http.disconnect":
            raise ClientLeft
        if len(body) > limit:
            raise _too_large(limit)
        return body

    async def unpack(self, body: bytes, limit: int) -> bytes:
        """The body without its packing, at most `limit` bytes. Raises Refused (400, 413)."""
        coding = coding_of(self.given)
        return await asyncio.to_thread(unpacked, body, coding, limit) if coding else body

    def may_leave(self) -> None:
        """From now on the work ends where the client leaves."""
        self.scope[MAY_LEAVE] = True

    async def reply(self, status: int, body: bytes, content_type: bytes = JSON) -> int:
        """Send a whole response, packed where that is asked for and worth it; returns its status. Raises ClientLeft
        where that is known."""
        if is_worth(body, content_type):
            self.headers.append((b"vary", b"accept-encoding"))
            if is_asked(self.given.get(b"accept-encoding")):
                self.headers.append((b"content-encoding", b"gzip"))
                body = await asyncio.to_thread(packed, body)
        self.started = True
        start = self._start(status, body, content_type)
        if self._whole is None or not self._whole(status, start["headers"], body):
            await self.send(start)
            await self.send({"type": "http.response.body", "body": body})
        return status

    async def refuse(self, refused: Refused) -> int:
        """Send a refusal; returns its status."""
        flat, nested = refused.flat_body(), refused.body()
        flat["requestId"] = nested["error"]["requestId"] = self.request_id.decode()
        body = encode(flat if self.scope["path"].startswith("/v2") else nested)
        if refused.code == "wrong_content_encoding":  # and with no other: it tells what is wrong (RFC 7694)
            self.headers.append((b"accept-encoding", TAKEN))
        if refused.retry_after is not None:
            self.headers.append((b"retry-after", b"%d" % refused.retry_after))
        return await self.reply(refused.status, body)

    async def _rest(self, body: bytes, limit: int, seconds: float) -> tuple[bytes, Message]:
        parts, size = [body], len(body)
        message: Message = {"more_body": True}
        try:
            async with asyncio.timeout(seconds):
                while size <= limit and message.get("more_body"):
                    message = await self.receive()
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
        except TimeoutError:
            raise Refused(408, "body_too_slow", f"the body did not arrive within {seconds:g} seconds") from None
        return b"".join(parts), message

    def _start(self, status: int, body: bytes, content_type: bytes) -> Message:
        fields = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *self.headers]
        return {"type": "http.response.start", "status": status, "headers": fields}


def _too_large(limit: int) -> Refused:
    return Refused(413, "body_too_large", f"the body is larger than {limit:,} bytes")
