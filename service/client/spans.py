"""A span for each request that a client sends, where its program uses OpenTelemetry; else nothing is loaded or sent."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

Outcome = httpx.Response | httpx.TransportError | None


@contextmanager
def sent(request: httpx.Request, attempt: int) -> Iterator[Callable[[Outcome], None]]:
    """The span of one attempt, named to the service in the request's headers; to be told of the outcome."""
    if "opentelemetry.trace" not in sys.modules:  # then nobody has set it up
        yield lambda _: None
        return
    from opentelemetry import propagate, trace

    attributes: dict[str, str | int] = {
        "http.request.method": request.method,
        "server.address": request.url.host,
        "server.port": request.url.port or {"https": 443}.get(request.url.scheme, 80),
    }
    if attempt:
        attributes["http.request.resend_count"] = attempt
    tracer = trace.get_tracer("slipway_client")
    span = tracer.start_span(f"{request.method}", kind=trace.SpanKind.CLIENT, attributes=attributes)
    propagate.inject(request.headers, trace.set_span_in_context(span))

    def note(outcome: Outcome) -> None:
        if isinstance(outcome, httpx.Response):
            span.set_attribute("http.response.status_code", outcome.status_code)
            failure = str(outcome.status_code) if outcome.status_code >= 400 else ""
        else:
            failure = type(outcome).__name__
        if failure:
            span.set_attribute("error.type", failure)
            span.set_status(trace.StatusCode.ERROR)

    try:
        yield note
    finally:
        span.end()
