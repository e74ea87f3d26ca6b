"""/metrics, on a port of its own."""

import asyncio

from slipway.service.exchange import ASGIApp, Receive, Scope, Send
from slipway.service.telemetry.metrics import CONTENT_TYPE, Metrics


def exposition(metrics: Metrics) -> ASGIApp:
    """An ASGI application that answers GET /metrics with the counts of all workers, and 404 to all else."""

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        known = scope["type"] == "http" and scope["path"] == "/metrics" and scope["method"] in ("GET", "HEAD")
        body = await asyncio.to_thread(metrics.text) if known else b"metrics are at /metrics\n"
        headers = [(b"content-type", CONTENT_TYPE if known else b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if known else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer
