"""Where a request's time goes: sums that add up to what was noted, and nothing lost at an orderly end."""

import re

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from slipway.service.inference.model import load_model
from slipway.service.telemetry.timings import Timings


class Collector:
    def __init__(self, stages):
        self.stages = stages

    def collect(self):
        yield from self.stages.collect(("digits", "1"))


def told(stages):
    registry = CollectorRegistry()
    registry.register(Collector(stages))
    return generate_latest(registry).decode()


def test_times_of_stages_and_sizes_of_runs_add_up(artifacts):
    stages = Timings(load_model(artifacts["classifier"]).signature)
    for begun in (10.0, 20.0):
        stages.answered(begun, begun + 1, begun + 4, begun + 4.5)
    for samples, seconds in ((1, 0.5), (8, 1.5), (9, 1.0), (500, 3.0)):
        stages.ran(samples, seconds)
    stages.tick()
    stages.tick()
    found = {"parse": 1.0, "model": 3.0, "encode": 0.5, "run": 1.5, "samples": 129.5}
    assert stages.means() == pytest.approx(found)
    text = told(stages)
    for stage, seconds, count in (("parse", 2, 2), ("model", 6, 2), ("encode", 1, 2), ("run", 6, 4)):
        assert f'seconds_sum{{service_name="digits",service_version="1",stage="{stage}"}} {seconds}.0' in text
        assert f'seconds_count{{service_name="digits",service_version="1",stage="{stage}"}} {count}.0' in text
    sizes = re.findall(r'^slipway_batch_size_bucket{le="([\d.+Inf]+)",.*} ([\d.]+)$', text, re.MULTILINE)
    assert dict(sizes) == {
        "1": "1.0", "2": "1.0", "4": "1.0", "8": "2.0", "16": "3.0", "32": "3.0", "64": "3.0", "128": "3.0",
        "+Inf": "4.0",
    }  # fmt: skip


def test_a_worker_that_ends_in_order_takes_no_count_along_and_counts_no_proof(start, artifacts, counters):
    first = start(artifacts["linear"], counters=counters)
    with httpx.Client(base_url=first.url) as client:
        for _ in range(20):
            assert client.post("/predict", json={"inputs": {"x": [3]}}).status_code == 200
    first.process.terminate()
    assert first.end()[0] == 0
    second = start(artifacts["linear"], counters=counters)
    text = httpx.get(second.metrics).text
    assert re.findall(r'seconds_count{.*stage="(?:parse|run)"} ([\d.]+)', text) == ["20.0", "20.0"]
    assert re.findall(r"^slipway_predicted_value_count{.*} ([\d.]+)", text, re.MULTILINE) == ["20.0"]
