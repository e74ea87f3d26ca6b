"""The little of HTTP over ASGI that the hot path needs: one request, its body and its response."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from service.answer import encode
from service.refusal import Refused

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[bytes, bytes]

JSON = b"application/json"
# A client that sends on after its refusal is listened to this long, so that it reads the refusal and not a reset.
_LINGER_SECONDS = 2.0
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


class ClientLeft(Exception):
    """The client closed the connection before its answer was ready."""


def check_json(headers: Headers) -> None:
    """Raises Refused (415) unless the headers announce plain JSON in UTF-8."""
    kind, _, parameters = headers.get(b"content-type", b"").partition(b";")
    if kind.strip().lower() != JSON:
        raise Refused(415, "wrong_content_type", "send JSON with the header 'content-type: application/json'")
    charset = parameters.strip().lower()
    if charset.startswith(b"charset=") and charset[8:].strip(b'"') not in (b"utf-8", b"us-ascii"):
        raise Refused(415, "wrong_charset", "send JSON in UTF-8")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refused(415, "wrong_content_encoding", "send JSON without compression")


class Exchange:
    """One request and its one response; `headers` go with the response, whichever it is."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, new_id: bytes, draining: bool) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.given: Headers = dict(scope["headers"])
        given_id = self.given.get(b"x-request-id", b"")
        self.request_id: bytes = given_id if _REQUEST_ID.fullmatch(given_id) else new_id
        self.headers = [(b"x-request-id", self.request_id)]
        if draining:
            self.headers.append((b"connection", b"close"))
        self.started = False
        self._read = False

    async def read(self, limit: int, seconds: float) -> bytes:
        """The body, of at most `limit` bytes; see `_read_body` for what is raised."""
        body = await _read_body(self.given, self.receive, limit, seconds)
        self._read = True
        return body

    async def reply(self, status: int, body: bytes, content_type: bytes = JSON) -> int:
        """Send a whole response; returns its status."""
        self.started = True
        await self.send(_start(status, body, content_type, self.headers))
        await self.send({"type": "http.response.body", "body": body})
        return status

    async def refuse(self, refused: Refused) -> int:
        """Send a refusal; returns its status. Where the body was not read, the connection is closed after it.

        What still comes is read and dropped for a moment: closing at once resets the connection, and the
        client then often loses the response.
        """
        body = encode(refused.body())
        if self._read or self.scope["method"] in ("GET", "HEAD"):
            return await self.reply(refused.status, body)
        self.started = True
        await self.send(_start(refused.status, body, JSON, [*self.headers, (b"connection", b"close")]))
        await self.send({"type": "http.response.body", "body": body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while (await self.receive()).get("more_body"):
                    pass
        await self.send({"type": "http.response.body", "body": b""})
        return refused.status


async def _read_body(headers: Headers, receive: Receive, limit: int, seconds: float) -> bytes:
    """Read a request's body of at most `limit` bytes, which must be there within `seconds`.

    Raises Refused (413 as soon as the announced or received size is over the limit, 408) and ClientLeft.
    """
    too_large = Refused(413, "body_too_large", f"the body is larger than {limit:,} bytes")
    announced = headers.get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limit:
        raise too_large
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        try:
            async with asyncio.timeout(seconds):
                parts, size = [body], len(body)
                while size <= limit and message.get("more_body"):
                    message = await receive()
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
        except TimeoutError:
            raise Refused(408, "body_too_slow", f"the body did not arrive within {seconds:g} seconds") from None
        body = b"".join(parts)
    if message["type"] == "http.disconnect":
        raise ClientLeft
    if len(body) > limit:
        raise too_large
    return body


def _start(status: int, body: bytes, content_type: bytes, headers: list[tuple[bytes, bytes]]) -> Message:
    fields = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    return {"type": "http.response.start", "status": status, "headers": fields}
