"""Spans for OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says who takes them; else none of it is loaded.

The SDK's own variables hold as well: OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME and so on.
"""

import os
import time
from contextvars import Context
from typing import Any

from slipway.service.exchange import REPLY, TRACE_ID, ASGIApp, Message, Receive, Scope, Send
from slipway.service.http.app import App
from slipway.service.telemetry import metrics
from slipway.service.telemetry.logs import masker_of

_FOLLOWED = (b"traceparent", b"tracestate", b"x-request-id")


def is_wanted() -> bool:
    """Whether the environment names a collector and does not switch the SDK off."""
    named = any(os.environ.get(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT") for kind in ("", "TRACES_"))
    return named and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"


class Traced:
    """An application whose requests are spans, part of the caller's trace where a traceparent header names one, with
    each request's runs of the model as spans below its own.

    Owns the way to the collector. Spans hold no input, no address and no key.
    """

    def __init__(self, app: App, exporter: Any = None) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
        self._app: ASGIApp = app
        self._route, self._masker = app.endpoint, masker_of(app.settings)
        digest = {"service.version": app.model.artifact.digest}
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": app.name}
        self._provider = TracerProvider(resource=Resource.create({**digest, **named}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("slipway")
        self._context = TraceContextTextMapPropagator()
        self._engine = app.settings.provider
        app.batcher.on_run = self._ran

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from opentelemetry.trace import SpanKind, StatusCode

        told = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _FOLLOWED}
        state = told.get(b"tracestate", "")
        if self._masker.text(state) != state:
            del told[b"tracestate"]
        given_id = told.pop(b"x-request-id", None)
        caller = self._context.extract({name.decode(): value for name, value in told.items()})
        endpoint = metrics.ENDPOINTS[self._route(scope["path"])]
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "_OTHER"
        attributes = {"http.request.method": method, "http.route": endpoint}
        with self._tracer.start_as_current_span(
            f"{method} {endpoint}", caller, SpanKind.SERVER, attributes, record_exception=False
        ) as span:
            scope[TRACE_ID] = f"{span.get_span_context().trace_id:032x}"

            def note(status: int, given: list[tuple[bytes, bytes]]) -> None:
                span.set_attribute("http.response.status_code", status)
                answered_id = dict(given).get(b"x-request-id", b"").decode()
                span.set_attribute("slipway.request_id", self._masker.id(given_id) if given_id else answered_id)
                if status >= 500:
                    span.set_status(StatusCode.ERROR)

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    note(message["status"], message["headers"])
                await send(message)

            whole = scope.get(REPLY)
            if whole is not None:

                def reply(status: int, given: list[tuple[bytes, bytes]], body: bytes) -> bool:
                    note(status, given)
                    return bool(whole(status, given, body))

                scope[REPLY] = reply
            await self._app(scope, receive, noting)

    def _ran(self, requests: list[Context], samples: int, seconds: float, error: Exception | None) -> None:
        """A run of the model as a span of each request that was in it: those of one batch have the same times."""
        from opentelemetry.context import get_current
        from opentelemetry.trace import StatusCode

        end = time.time_ns()
        attributes: dict[str, str | int] = {"slipway.samples": samples, "slipway.requests": len(requests)}
        attributes["slipway.provider"] = self._engine
        for each in requests:
            parent, begun = each.run(get_current), end - round(1e9 * seconds)
            span = self._tracer.start_span("onnxruntime run", parent, attributes=attributes, start_time=begun)
            if error:  # its message may quote an input
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
            span.end(end)

    def close(self) -> None:
        """Hand over what is left; blocks for a few seconds at most."""
        self._provider.force_flush(3000)
        self._provider.shutdown()
