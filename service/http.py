"""The little of HTTP over ASGI that the hot path needs."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

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


async def read_body(headers: Headers, receive: Receive, limit: int, seconds: float) -> bytes:
    """Read a request's body of at most `limit` bytes, which must be there within `seconds`.

    Raises Refused (413 as soon as the announced or received size is over the limit, 408) and ClientLeft.
    """
    too_large = Refused(413, "body_too_large", f"the body is larger than {limit:,} bytes")
    announced = headers.get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limit:
        raise too_large
    message = await receive()
    body = message.get("body", b"")
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


async def respond(
    send: Send, status: int, body: bytes, content_type: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Send a whole response."""
    await send(_start(status, body, content_type, headers))
    await send({"type": "http.response.body", "body": body})


async def respond_early(
    send: Send, receive: Receive, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Send a whole JSON response to a request whose body was not read, then close the connection.

    Reads and drops what still comes for a moment: closing at once resets the connection, and the client
    then often loses the response.
    """
    await send(_start(status, body, JSON, [*headers, (b"connection", b"close")]))
    await send({"type": "http.response.body", "body": body, "more_body": True})
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


def _start(status: int, body: bytes, content_type: bytes, headers: list[tuple[bytes, bytes]]) -> Message:
    fields = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    return {"type": "http.response.start", "status": status, "headers": fields}
