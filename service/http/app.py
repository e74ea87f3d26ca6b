"""The application that serves: predictions on a short path of its own, all else through BentoML."""

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import Awaitable, Callable
from functools import cache, partial
from time import perf_counter
from typing import Any

from slipway.service.access.access import PAGE, Access
from slipway.service.api.openapi import describe
from slipway.service.api.openinference import OpenInference
from slipway.service.api.predict import KINDS, Predict
from slipway.service.encoding import encode
from slipway.service.errors import Refused
from slipway.service.exchange import JSON, LEFT, RAW, ClientLeft, Exchange, Message, Receive, Scope, Send, content_kind
from slipway.service.explain.queue import Explain
from slipway.service.http.bento import Bento
from slipway.service.http.page import Page
from slipway.service.http.status import status
from slipway.service.inference.batching import Batcher
from slipway.service.inference.model import Model
from slipway.service.samples.validation import Validator, parse
from slipway.service.settings import Settings
from slipway.service.telemetry import metrics
from slipway.service.telemetry.host_usage import HostUsage
from slipway.service.telemetry.logs import RequestLog
from slipway.service.telemetry.metrics import Metrics
from slipway.service.telemetry.monitor import Monitor

_BODY_BYTES = 1_000_000
_FEEDBACK_BYTES = 20_000
_READS = ("GET", "HEAD")
_TOLD = {"card.md": b"text/markdown; charset=utf-8", "report.json": JSON, "variants.png": b"image/png"}

_Handler = Callable[[Exchange], Awaitable[int]]


class App:
    """One model behind HTTP, as an ASGI application.

    Owns the queue before the model, the metrics, who may ask, and the BentoML service behind; leaves the model, the
    socket and signals alone. Set `draining` to have clients move to another process: every answer then closes its
    connection. `batcher.on_run` is there for who traces.
    """

    def __init__(self, model: Model, settings: Settings) -> None:
        self.draining = False
        self.settings, self.model = settings, model
        signature, version = model.signature, model.artifact.digest.removeprefix("sha256:")[:12]
        name = self.name = settings.name or signature.name
        self.metrics = Metrics(name, version)
        self.log = RequestLog(settings)
        self.machine = HostUsage(settings.provider)
        self.access = Access(settings.access)
        # Four examples fit in a request whatever the size of the model's inputs.
        self.max_body = settings.max_body or max(_BODY_BYTES, 4 * (model.artifact.path / "example.json").stat().st_size)
        self._bento = Bento()
        self.monitor = Monitor(model.artifact, settings, self.access)
        self.metrics.more += [self.monitor.collect, self.machine.collect, self.access.collect]
        self.batcher = Batcher(model, settings, self.metrics, self.monitor.stages)
        validator = Validator(signature, settings)
        self._predict = Predict(signature, validator, self.batcher, self.monitor)
        self._open = OpenInference(signature, version, validator, self.batcher, self.monitor)
        self._explain = Explain(model.artifact, validator, settings)
        self._scoring = asyncio.Lock()
        process = secrets.token_hex(6)
        self._ids = (b"%b-%x" % (process.encode(), number) for number in itertools.count())
        page = Page(self.access)
        about: dict[str, Any] = {
            "name": name,
            "digest": model.artifact.digest,
            "task": signature.task,
            "version": version,
        }
        limits = {"samples": settings.max_batch, "bytes": self.max_body}
        about |= {"model": signature.to_json(), "limits": limits, "explains": self._explain.there}
        told = self._model_routes()
        kinds = {path: _TOLD[path.removeprefix("/model/")].decode().partition(";")[0] for path in told}
        self._document = cache(lambda: encode(describe(model.artifact, settings, version, kinds)))
        self._routes: dict[str, tuple[int, tuple[str, ...], _Handler]] = {
            "/predict": (metrics.PREDICT, ("POST",), self._answer_predict),
            "/livez": (metrics.LIVEZ, _READS, self._livez),
            "/readyz": (metrics.READYZ, _READS, self._readyz),
            "/feedback": (metrics.FEEDBACK, ("POST",), self._feedback),
            "/status": (metrics.STATUS, _READS, self._status),
            "/openapi.json": (metrics.OPENAPI, _READS, self._openapi),
            "/explain": (metrics.EXPLAIN, ("POST",), self._answer_explain),
            "/": (metrics.INDEX, _READS, partial(_fixed, encode(about))),
            **dict.fromkeys(PAGE, (metrics.UI, _READS, page)),
            **told,
            **self._open_routes(about),
        }
        self._other = (metrics.OTHER, (), self._behind)
        self._unknown = (metrics.V2, (), self._no_such_model)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, trusted: bool = False) -> None:
        """Answer one HTTP request. `trusted`: this process's own, which needs no credentials and is not counted."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        endpoint, methods, handler = self._routes.get(scope["path"]) or self._fallback(scope["path"])
        exchange = Exchange(scope, receive, send, next(self._ids), self.draining)
        begun, code = 0.0 if trusted else self.metrics.begin(endpoint), 500
        try:
            try:
                if not trusted:
                    exchange.caller = self.access.check(exchange)
                if methods and scope["method"] not in methods:
                    exchange.headers.append((b"allow", ", ".join(methods).encode()))
                    raise Refused(405, "wrong_method", f"{scope['path']} takes {' or '.join(methods)}")
                code = await handler(exchange)
                if not self.log.quiet:
                    name = metrics.ENDPOINTS[endpoint]
                    self.log.answered(exchange, name, code, perf_counter() - begun, exchange.body)
            except Refused as refused:
                self.log.failed(exchange, metrics.ENDPOINTS[endpoint], refused.status, refused.code)
                code = await exchange.refuse(refused)
            except ClientLeft:
                raise
            except Exception:
                if exchange.started:
                    raise
                self.log.failed(exchange, metrics.ENDPOINTS[endpoint], 500, "internal", exception=True)
                code = await exchange.refuse(Refused(500, "internal", "the service failed; its log says why"))
        except ClientLeft:
            code = 499
        except asyncio.CancelledError as cancelled:
            if cancelled.args != (LEFT,):
                raise
            code = 499
        finally:
            if not trusted:
                self.metrics.end(endpoint, code, begun)

    async def close(self) -> None:
        """Stop what stands behind the hot path."""
        await self.access.close()
        await self._bento.close()
        await self._explain.close()
        self.batcher.close()
        self.metrics.close()

    def endpoint(self, path: str) -> int:
        """Which of metrics.ENDPOINTS a path belongs to."""
        return (self._routes.get(path) or self._fallback(path))[0]

    def _fallback(self, path: str) -> tuple[int, tuple[str, ...], _Handler]:
        return self._unknown if path.startswith("/v2/") else self._other

    def _open_routes(self, about: dict[str, Any]) -> dict[str, tuple[int, tuple[str, ...], _Handler]]:
        served, read = self._open, (metrics.V2, _READS)
        routes: dict[str, tuple[int, tuple[str, ...], _Handler]] = {
            "/v2": (*read, partial(_fixed, encode({**served.server, "service": about}))),
            "/v2/health/live": (*read, partial(_fixed, encode({"live": True}))),
            "/v2/health/ready": (*read, self._readyz),
        }
        for base in (f"/v2/models/{served.name}", f"/v2/models/{served.name}/versions/{served.version}"):
            routes[base] = (*read, partial(_fixed, encode(served.metadata)))
            routes[f"{base}/ready"] = (*read, self._readyz)
            routes[f"{base}/infer"] = (metrics.INFER, ("POST",), self._answer_infer)
        return routes

    def _model_routes(self) -> dict[str, tuple[int, tuple[str, ...], _Handler]]:
        """What is told about the model; not the model."""
        routes: dict[str, tuple[int, tuple[str, ...], _Handler]] = {}
        for name, kind in _TOLD.items():
            with contextlib.suppress(OSError):
                content = (self.model.artifact.path / name).read_bytes()
                routes[f"/model/{name}"] = (metrics.MODEL, _READS, partial(_fixed, content, kind=kind))
        return routes

    async def _answer_explain(self, exchange: Exchange) -> int:
        content_kind(exchange.given, (JSON,))
        body = await exchange.read(self.max_body, self.settings.body_seconds)
        exchange.may_leave()
        return await exchange.reply(200, await self._explain(await exchange.unpack(body, self.max_body)))

    async def _answer_predict(self, exchange: Exchange) -> int:
        kind = content_kind(exchange.given, KINDS)
        body = await self._read(exchange)
        answer, kind, headers = await self._predict(kind, body, exchange.given)
        exchange.headers += headers.items()
        return await exchange.reply(200, answer, kind)

    async def _answer_infer(self, exchange: Exchange) -> int:
        # Triton's own server looks at no content type, and its clients send none with JSON alone.
        if b"content-type" in exchange.given or b"content-encoding" in exchange.given:
            exchange.given.setdefault(b"content-type", JSON)
            content_kind(exchange.given, (JSON, RAW))
        body = await self._read(exchange)
        answer, kind, headers = await self._open.infer(body, exchange.given)
        exchange.headers += headers.items()
        return await exchange.reply(200, answer, kind)

    async def _read(self, exchange: Exchange) -> bytes:
        body = await exchange.read(self.max_body, self.settings.body_seconds)
        self.batcher.admit()  # before the work of parsing: what is too much has to cost little
        if b"content-encoding" in exchange.given:
            body = await exchange.unpack(body, self.max_body)
        if not self.log.quiet:
            exchange.body = body
        exchange.may_leave()
        return body

    async def _feedback(self, exchange: Exchange) -> int:
        content_kind(exchange.given, (JSON,))
        body = await exchange.read(_FEEDBACK_BYTES, self.settings.body_seconds)
        body = parse(await exchange.unpack(body, _FEEDBACK_BYTES))
        async with self._scoring:
            counted = await asyncio.to_thread(self.monitor.feedback.score, body, self.access.rules.signing)
        return await exchange.reply(200, encode(counted))

    async def tidy(self) -> None:
        """Forget feedback that is too old."""
        async with self._scoring:
            await asyncio.to_thread(self.monitor.feedback.tidy)

    async def _status(self, exchange: Exchange) -> int:
        return await exchange.reply(200, encode(await asyncio.to_thread(status, self)))

    async def _livez(self, exchange: Exchange) -> int:
        return await exchange.reply(200, b"\n", b"text/plain")

    async def _readyz(self, exchange: Exchange) -> int:
        ready, status = not self.draining, 503 if self.draining else 200
        if exchange.scope["path"] == "/readyz":
            return await exchange.reply(status, b"\n", b"text/plain")
        return await exchange.reply(status, encode({"name": self._open.name, "ready": ready}))

    async def _openapi(self, exchange: Exchange) -> int:
        return await exchange.reply(200, self._document())

    async def _no_such_model(self, exchange: Exchange) -> int:
        message = f"{exchange.scope['path'][:200]}: this service has the model {self._open.name}"
        raise Refused(404, "not_found", f"{message} in version {self._open.version}")

    async def _behind(self, exchange: Exchange) -> int:
        status = 500

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # Starlette redirects by the host that a caller names: no answer of ours leads anywhere.
                exchange.started = not (300 <= status < 400 or status in (404, 405))
                message["headers"] = [*message.get("headers", ()), *exchange.headers]
            if exchange.started:
                await exchange.send(message)

        await self._bento(exchange.scope, exchange.receive, send)
        if not exchange.started:
            path = exchange.scope["path"][:200]
            if status == 405:
                raise Refused(405, "wrong_method", f"{path}: not with this method")
            raise Refused(404, "not_found", f"{path}: no such path")
        return status


async def _fixed(body: bytes, exchange: Exchange, kind: bytes = JSON) -> int:
    return await exchange.reply(200, body, kind)
