"""Spans where a collector is named, as part of the caller's trace, and nothing loaded where none is."""

import asyncio
import http.server
import json
import subprocess
import sys
import threading

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from slipway.service.client import AsyncClient, Client, Retry
from slipway.service.http.app import App
from slipway.service.http.tracing import Traced, is_wanted
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings
from slipway.service.telemetry.logs import MASK

from tests.service.conftest import EXAMPLES, ROOT

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.anyio
async def test_a_request_is_a_span_of_its_callers_trace(artifacts):
    kept = InMemorySpanExporter()
    traced = Traced(App(load_model(artifacts["classifier"]), Settings(access="open")), kept)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(traced), base_url="http://service") as client:
        good = await client.post("/predict", json={"inputs": EXAMPLES["classifier"]}, headers={"traceparent": TRACE})
        await client.get("/v2/models/canary", headers={"traceparent": "junk"})
        told = {"traceparent": TRACE, "tracestate": "shop=4111111111111111", "x-request-id": "4111111111111111"}
        await client.get("/livez", headers=told)
        await client.get("/livez", headers=told | {"tracestate": "shop=a", "x-request-id": TRACE[3:35]})
    traced.close()
    ran, first, second, card, random = kept.get_finished_spans()
    assert f"{first.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{first.parent.span_id:016x}" == "b7ad6b7169203331"
    assert first.attributes["slipway.request_id"] == good.headers["x-request-id"]
    assert (ran.name, ran.parent.span_id) == ("onnxruntime run", first.context.span_id)
    assert (first.name, first.attributes["http.response.status_code"]) == ("POST /predict", 200)
    assert second.parent is None and second.attributes["http.response.status_code"] == 404
    assert "canary" not in str(dict(second.attributes)) + second.name
    assert (card.attributes["slipway.request_id"], card.context.trace_state) == (MASK, {})
    assert (random.attributes["slipway.request_id"], random.context.trace_state) == (TRACE[3:35], {"shop": "a"})


@pytest.fixture
def collector():
    """A double of an OpenTelemetry collector: its address, and (service, span) of all that it was sent, by name."""
    got = {}

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/traces"
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
            for each in sent.resource_spans:
                (service,) = [one.value.string_value for one in each.resource.attributes if one.key == "service.name"]
                for span in (span for scope in each.scope_spans for span in scope.spans):
                    got.setdefault(span.name, []).append((service, span))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()


@pytest.fixture
def traced_program(collector, monkeypatch):
    """This process as one that uses OpenTelemetry's SDK, as a caller's program might."""
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{collector[0]}/v1/traces")))
    monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
    yield provider
    provider.shutdown()


def test_a_request_is_one_trace_from_the_client_through_the_service_to_the_engine_and_its_log(
    start, artifacts, collector, traced_program
):
    address, got = collector
    worker = start(artifacts["linear"], "--log-requests", "1", OTEL_EXPORTER_OTLP_ENDPOINT=address)
    with traced_program.get_tracer("shop").start_as_current_span("checkout"), Client(worker.url) as client:
        answer = client.predict({"x": [3]})
    worker.process.terminate()
    code, errors = worker.end()
    assert code == 0 and answer.output.tolist() == [5.0]
    (checkout,) = got["checkout"]
    ((caller, sent),) = [each for each in got["POST"] if each[1].parent_span_id == checkout[1].span_id]
    ((service, served),) = got["POST /v2/infer"]
    ((engine, ran),) = got["onnxruntime run"]
    assert (caller, service, engine) == ("shop", "linear", "linear")
    assert (served.parent_span_id, ran.parent_span_id) == (sent.span_id, served.span_id)
    trace = checkout[1].trace_id
    assert {span.trace_id for span in (sent, served, ran)} == {trace}
    assert served.start_time_unix_nano <= ran.start_time_unix_nano <= ran.end_time_unix_nano
    assert ran.end_time_unix_nano <= served.end_time_unix_nano
    (line,) = [line for line in map(json.loads, errors.splitlines()) if line.get("endpoint") == "/v2/infer"]
    assert (line["traceId"], line["requestId"]) == (trace.hex(), answer.request_id)


def test_a_request_that_no_trace_came_with_begins_one_that_its_log_names(start, artifacts, collector):
    address, got = collector
    worker = start(artifacts["linear"], "--log-requests", "1", OTEL_EXPORTER_OTLP_ENDPOINT=address)
    answer = httpx.post(f"{worker.url}/predict", json={"inputs": {"x": [3]}})
    worker.process.terminate()
    code, errors = worker.end()
    ((_, served),) = got["POST /predict"]
    (line,) = [
        each for each in map(json.loads, errors.splitlines()) if each["requestId"] == answer.headers["x-request-id"]
    ]
    assert code == 0 and line["traceId"] == served.trace_id.hex()


@pytest.mark.anyio
async def test_each_request_of_a_batch_has_the_run_in_its_own_trace_and_a_run_that_failed_is_one(
    artifacts, monkeypatch
):
    kept = InMemorySpanExporter()
    app = App(load_model(artifacts["classifier"]), Settings(access="open"))
    app.model.seconds, app.model.batch = 1.0, 8  # so that requests wait for each other
    traced, run, failing = Traced(app, kept), app.model.run, []

    def troubled(inputs, options=None):
        if failing:
            raise RuntimeError("canary")
        return run(inputs, options)

    monkeypatch.setattr(app.model, "run", troubled)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(traced), base_url="http://service") as client:

        async def ask():
            return (await client.post("/predict", json={"inputs": EXAMPLES["classifier"]})).status_code

        assert await asyncio.gather(ask(), ask(), ask()) == [200] * 3
        failing.append(True)
        assert await ask() == 500
    await app.close()
    traced.close()
    spans = kept.get_finished_spans()
    served = {span.context.span_id: span for span in spans if span.name == "POST /predict"}
    runs = [span for span in spans if span.name == "onnxruntime run"]
    assert len(runs) == 4 and max(span.attributes["slipway.requests"] for span in runs) > 1
    assert {span.parent.span_id for span in runs} == served.keys()
    assert all(span.context.trace_id == served[span.parent.span_id].context.trace_id for span in runs)
    (failed,) = [span for span in runs if not span.status.is_ok and "error.type" in span.attributes]
    assert failed.attributes["error.type"] == "RuntimeError" and "canary" not in failed.to_json()


@pytest.mark.anyio
async def test_each_attempt_of_a_client_is_a_span_that_tells_what_came_of_it(collector, traced_program):
    answers = iter([httpx.ConnectError("refused"), httpx.Response(503), httpx.Response(200, json={"up": True})])
    named = []

    def answer(request):
        named.append(request.headers["traceparent"])
        told = next(answers)
        if isinstance(told, Exception):
            raise told
        return told

    retry = Retry(first=0.001, longest=0.01)
    async with AsyncClient("http://service", transport=httpx.MockTransport(answer), retry=retry) as client:
        assert await client.status() == {"up": True}
    spans = [span for _, span in collector[1]["GET"]]
    told = [{each.key: each.value.string_value or each.value.int_value for each in span.attributes} for span in spans]
    assert [each.get("error.type") for each in told] == ["ConnectError", "503", None]
    assert [each.get("http.request.resend_count") for each in told] == [None, 1, 2]
    assert [header.split("-")[2] for header in named] == [span.span_id.hex() for span in spans]


def test_a_client_of_a_program_without_opentelemetry_loads_nothing_of_it():
    code = """
import httpx, sys
from slipway.service.client import Client
seen = []
answer = httpx.MockTransport(lambda asked: seen.append(asked.headers) or httpx.Response(200, json={}))
with Client("http://service", transport=answer) as client:
    client.status()
print([name for name in sys.modules if name.startswith("opentelemetry")], "traceparent" in seen[0])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_without_a_collector_nothing_of_it_is_loaded(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert not is_wanted()
    names = "[name for name in sys.modules if name.startswith('opentelemetry')]"
    code = f"import slipway.service.http.server, sys; print({names})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
