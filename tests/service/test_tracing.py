"""Spans where a collector is named, as part of the caller's trace, and nothing loaded where none is."""

import http.server
import subprocess
import sys
import threading

import httpx
import pytest
from slipway.service.http.app import App
from slipway.service.http.tracing import Traced, is_wanted
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings
from slipway.service.telemetry.logs import MASK

from tests.service.conftest import EXAMPLES, ROOT

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.anyio
async def test_a_request_is_a_span_of_its_callers_trace(artifacts):
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    traced = Traced(App(load_model(artifacts["classifier"]), Settings(access="open")), kept)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(traced), base_url="http://service") as client:
        good = await client.post("/predict", json={"inputs": EXAMPLES["classifier"]}, headers={"traceparent": TRACE})
        await client.get("/v2/models/canary", headers={"traceparent": "junk"})
        told = {"traceparent": TRACE, "tracestate": "shop=4111111111111111", "x-request-id": "4111111111111111"}
        await client.get("/livez", headers=told)
        await client.get("/livez", headers=told | {"tracestate": "shop=a", "x-request-id": TRACE[3:35]})
    traced.close()
    first, second, card, random = kept.get_finished_spans()
    assert f"{first.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{first.parent.span_id:016x}" == "b7ad6b7169203331"
    assert first.attributes["slipway.request_id"] == good.headers["x-request-id"]
    assert (first.name, first.attributes["http.response.status_code"]) == ("POST /predict", 200)
    assert second.parent is None and second.attributes["http.response.status_code"] == 404
    assert "canary" not in str(dict(second.attributes)) + second.name
    assert (card.attributes["slipway.request_id"], card.context.trace_state) == (MASK, {})
    assert (random.attributes["slipway.request_id"], random.context.trace_state) == (TRACE[3:35], {"shop": "a"})


def test_a_process_sends_its_spans_to_the_collector_that_is_named(start, artifacts):
    got = []

    class Collector(http.server.BaseHTTPRequestHandler):
        """Stands for an OpenTelemetry collector."""

        def do_POST(self):
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        worker = start(artifacts["linear"], OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_port}")
        answer = httpx.post(f"{worker.url}/predict", json={"inputs": {"x": [3]}}, headers={"traceparent": TRACE})
        assert answer.json() == {"outputs": {"y": [5.0]}}
        worker.process.terminate()
        assert worker.end()[0] == 0
        server.shutdown()
    ((path, sent),) = got
    assert path == "/v1/traces"
    assert answer.headers["x-request-id"].encode() in sent and bytes.fromhex(TRACE[3:35]) in sent


def test_without_a_collector_nothing_of_it_is_loaded(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert not is_wanted()
    names = "[name for name in sys.modules if name.startswith('opentelemetry')]"
    code = f"import slipway.service.http.server, sys; print({names})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
