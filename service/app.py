"""The application that serves: predictions on a short path of its own, all else through BentoML."""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from service.answer import answer, encode, parse
from service.bento import Bento
from service.metrics import CONTENT_TYPE, Metrics
from service.model import Model
from service.refusal import Refused
from service.settings import Settings
from service.validation import Samples, validate
from service.wire import ClientLeft, Exchange, Message, Receive, Scope, Send, check_json

# Handing a run to a thread costs about 0.1 ms; a run that blocks the event loop for longer delays the probes.
_INLINE_SECONDS = 0.002
_BODY_BYTES = 1_000_000
_READS = ("GET", "HEAD")

_log = logging.getLogger("slipway")


class App:
    """One model behind HTTP, as an ASGI application.

    Owns the metrics and the BentoML service behind; leaves the model, the socket and signals alone. Set
    `draining` to have clients move to another process: every answer then closes its connection.
    """

    def __init__(self, model: Model, settings: Settings) -> None:
        self.draining = False
        self._model, self._settings = model, settings
        name = settings.name or model.signature.name
        self._metrics = Metrics(name, model.artifact.digest.removeprefix("sha256:")[:12])
        self._about = encode({"name": name, "digest": model.artifact.digest, "task": model.signature.task})
        # Four examples fit in a request whatever the size of the model's inputs.
        self._max_body = settings.max_body or max(
            _BODY_BYTES, 4 * (model.artifact.path / "example.json").stat().st_size
        )
        self._bento = Bento()
        self._pool = ThreadPoolExecutor(1, "model")
        process = secrets.token_hex(6)
        self._ids = (f"{process}-{number:x}".encode() for number in itertools.count())
        self._routes: dict[str, tuple[tuple[str, ...], Callable[[Exchange], Awaitable[int]]]] = {
            "/predict": (("POST",), self._predict),
            "/livez": (_READS, self._livez),
            "/readyz": (_READS, self._readyz),
            "/metrics": (_READS, self._prometheus),
            "/": (_READS, self._index),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        path = scope["path"]
        with self._metrics.request(path if path in self._routes else "other") as outcome:
            outcome.status = await self.respond(scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer one HTTP request uncounted; returns the status, 499 where the client left first."""
        exchange = Exchange(scope, receive, send, next(self._ids), self.draining)
        methods, handler = self._routes.get(scope["path"], ((), self._behind))
        try:
            if methods and scope["method"] not in methods:
                exchange.headers.append((b"allow", ", ".join(methods).encode()))
                raise Refused(405, "wrong_method", f"{scope['path']} takes {' or '.join(methods)}")
            return await handler(exchange)
        except Refused as refused:
            return await exchange.refuse(refused)
        except ClientLeft:
            return 499
        except Exception:
            if exchange.started:
                raise
            _log.exception("request %s failed", exchange.request_id.decode())
            return await exchange.refuse(Refused(500, "internal", "the service failed; its log says why"))

    async def close(self) -> None:
        """Stop what stands behind the hot path."""
        await self._bento.close()
        self._pool.shutdown()
        self._metrics.close()

    async def _predict(self, exchange: "Exchange") -> int:
        check_json(exchange.given)
        body = await exchange.read(self._max_body, self._settings.body_seconds)
        samples = validate(parse(body), self._model.signature, self._settings)
        outputs = await self._run(samples)
        return await exchange.reply(200, encode(answer(outputs, samples, self._model.signature)))

    async def _run(self, samples: Samples) -> dict[str, np.ndarray]:
        if self._model.seconds * samples.count < _INLINE_SECONDS:
            return self._model.run(samples.inputs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._model.run, samples.inputs)

    async def _livez(self, exchange: "Exchange") -> int:
        return await exchange.reply(200, b"\n", b"text/plain")

    async def _readyz(self, exchange: "Exchange") -> int:
        return await exchange.reply(503 if self.draining else 200, b"\n", b"text/plain")

    async def _prometheus(self, exchange: "Exchange") -> int:
        return await exchange.reply(200, await asyncio.to_thread(self._metrics.text), CONTENT_TYPE)

    async def _index(self, exchange: "Exchange") -> int:
        return await exchange.reply(200, self._about)

    async def _behind(self, exchange: "Exchange") -> int:
        status = 500

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                exchange.started = status not in (404, 405)
                message["headers"] = [*message.get("headers", ()), *exchange.headers]
            if exchange.started:
                await exchange.send(message)

        await self._bento(exchange.scope, exchange.receive, send)
        if not exchange.started:
            code, reason = {404: ("not_found", "no such path"), 405: ("wrong_method", "not with this method")}[status]
            raise Refused(status, code, f"{exchange.scope['path'][:200]}: {reason}")
        return status
