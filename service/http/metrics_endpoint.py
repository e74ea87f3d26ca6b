"""/metrics, on a port of its own."""

import asyncio

from slipway.service.exchange import ASGIApp, Receive, Scope, Send
from slipway.service.telemetry.metrics import CONTENT_TYPE, Metrics

PATH = "/metrics"


def exposition(metrics: Metrics) -> ASGIApp:
    """An ASGI application that answers GET /metrics with the counts of all workers, and 404 to all else."""
    shared = _Shared(metrics)

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        known = scope["type"] == "http" and scope["path"] == PATH and scope["method"] in ("GET", "HEAD")
        body = await shared.text() if known else b"metrics are at /metrics\n"
        headers = [(b"content-type", CONTENT_TYPE if known else b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if known else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


class _Shared:
    """Makes one text at a time, for all who ask while the one before is made: nobody here needs a key."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics, self._turn = metrics, asyncio.Lock()
        self._next: asyncio.Task[bytes] | None = None

    async def text(self) -> bytes:
        if self._next is None:
            self._next = asyncio.create_task(self._make())
        return await asyncio.shield(self._next)

    async def _make(self) -> bytes:
        async with self._turn:
            self._next = None  # whoever asks from now on gets the counts of a later moment
            return await asyncio.to_thread(self._metrics.text)
