"""Alerts end to end: a real service in trouble, scraped as the operator would, told to people and taken back."""

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from slipway.infra.monitoring.files import monitoring_files
from slipway.infra.monitoring.panels import panels
from slipway.infra.runtime import RUNTIMES
from slipway.infra.workload.names import STACK
from slipway.service.artifact import seal
from slipway.service.manifest import ONNX
from slipway.service.telemetry.features import reference

from slipway.ops.would_alert import verdicts
from slipway.ops.would_alert import watched as looked
from tests.callers import HEADERS, access
from tests.cluster.dockerd import free_port
from tests.cluster.watching import FASTER, SCRAPES, asked, pod, prometheus, scraped, sooner, sooner_rules
from tests.service.conftest import ROOT, make_artifact
from tests.waiting import until
from tests.workload.examples import manifests

RATE = 40  # requests a second that one key may make; a healthy caller stays below it
RECEIVERS = ("webhook", "chat", "mail")
HOST = "slipway-host"  # what stands for the namespace of a stack on one host


def declared(kind):
    (found,) = [each for each in manifests("public") if each["kind"] == kind]
    return found


RULES = [rule for group in declared("PrometheusRule")["spec"]["groups"] for rule in group["rules"]]
ALERTS = [rule["alert"] for rule in RULES if "alert" in rule]


class Service:
    """The double of `troubled.py`, and callers that go on until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._trouble, self._stop, self._random = folder / "trouble", threading.Event(), np.random.default_rng(0)
        artifact = make_artifact(folder / "artifact", "classifier")
        training = self._random.normal(size=(2000, 4)).astype(np.float32)
        (artifact / "statistics.json").write_text(
            json.dumps({"inputs": {"features": {"features": reference(training)}}})
        )
        seal(artifact)
        (folder / "access.json").write_text(access(rate={"perKey": RATE}))
        (folder / "access.json").chmod(0o600)
        ports = [free_port() for _ in range(2)]
        self.url, self.metrics = (f"127.0.0.1:{port}" for port in ports)
        options = {"port": ports[0], "metrics-port": ports[1], "access": folder / "access.json", "name": "digits"}
        command = [sys.executable, "-m", "tests.cluster.troubled", "--artifact", artifact]
        command += [f"--{name}={value}" for name, value in options.items()]
        environment = os.environ | {"TROUBLE": str(self._trouble)}
        self._log = (folder / "service.log").open("w")
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=self._log)
        until(self._up, 60, "the service does not start")
        self._callers = [threading.Thread(target=self._call, daemon=True) for _ in range(6)]
        for each in self._callers:
            each.start()

    def trouble(self, there: bool) -> None:
        (self._trouble.touch if there else self._trouble.unlink)()

    def close(self) -> None:
        self._stop.set()
        for each in self._callers:
            each.join()
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def _up(self) -> bool:
        assert self._process.poll() is None, "the service ended"
        try:
            return httpx.get(f"http://{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _call(self) -> None:
        """Healthy: inputs as in training, a pause, the truth as it was predicted. In trouble the opposite of each."""
        with httpx.Client(base_url=f"http://{self.url}", headers=HEADERS, timeout=10) as client:
            while not self._stop.is_set():
                bad = self._trouble.exists()
                features = np.random.default_rng().normal(4 * bad, 1, 4).tolist()
                try:
                    answer = client.post("/predict", json={"inputs": {"features": features}})
                except httpx.TransportError:  # a busy machine: asked again
                    continue
                if answer.status_code == 200:
                    label = answer.json()["label"]
                    truth = label if not bad else "low" if label != "low" else "high"
                    self._score(client, answer.headers["x-prediction-token"], truth)
                time.sleep(0.02 if bad else 0.4)

    def _score(self, client: httpx.Client, token: str, truth: str) -> None:
        while not self._stop.is_set():  # refused ones go again, as the truth is worth it
            if client.post("/feedback", json={"token": token, "label": truth}).status_code != 429:
                return
            time.sleep(0.05)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A service, Prometheus's address and the receivers. The service is scraped as a cluster's, then as a host's."""
    folder = tmp_path_factory.mktemp("watched")
    monitor = declared("PodMonitor")
    service = Service(folder)
    labels = {STACK: monitor["spec"]["selector"]["matchLabels"][STACK]}
    scrape = scraped(monitor, {service.metrics: pod(monitor["metadata"]["namespace"], "digits-1", labels)})
    files = monitoring_files(HOST, {"static_configs": [{"targets": [service.metrics]}]})
    on_host, host_rules = (yaml.safe_load(text) for text in files.values())
    (host_scrape,) = on_host["scrape_configs"]
    host_scrape |= {"scrape_interval": SCRAPES, "scrape_timeout": SCRAPES}
    every_rule = [sooner_rules(each) for each in (declared("PrometheusRule")["spec"], host_rules)]
    try:
        with prometheus(folder, [scrape, host_scrape], every_rule) as (address, receivers):
            yield service, address, receivers
    finally:
        service.close()


@pytest.mark.skipif("SLIPWAY_FULL" not in os.environ, reason="make test-cluster-full")
def test_every_rule_fires_and_resolves_and_nothing_does_in_a_healthy_hour(watched):
    service, address, receivers = watched
    time.sleep(3600 / FASTER)
    assert asked(address, "ALERTS") == []
    service.trouble(True)
    until(lambda: _all(receivers, ALERTS, "firing"), 200, receivers.told)
    service.trouble(False)
    until(lambda: _all(receivers, ALERTS, "resolved"), 200, receivers.told)


def test_a_service_that_fails_is_told_to_everybody_and_taken_back(watched):
    service, address, receivers = watched
    receivers.told.clear()
    service.trouble(True)
    until(lambda: _all(receivers, ["SlipwayFailing"], "firing"), 40, receivers.told)
    both = 'count(count by (namespace) (ALERTS{alertname="SlipwayFailing",alertstate="firing"})) == 2'
    until(lambda: asked(address, both), 20, "it does not fire on a cluster and on a host")
    told = looked(lambda: {service.metrics: httpx.get(f"http://{service.metrics}/metrics").text}, 3)
    assert "SlipwayFailing" in [each.name for each in verdicts(told) if each.fires]
    service.trouble(False)
    until(lambda: _all(receivers, ["SlipwayFailing"], "resolved"), 40, receivers.told)


def test_every_panel_and_every_query_that_scales_finds_what_the_operator_scrapes(watched):
    _, address, _ = watched
    namespace = declared("PodMonitor")["metadata"]["namespace"]
    chosen = [f'namespace="{namespace}",service_name=~".+"', f'namespace="{HOST}"']
    queries = [query for each in chosen for panel in panels(each, "1d") for query in panel.queries]
    queries.append(RUNTIMES[ONNX].requests_in_flight(namespace, "digits"))
    empty = [each for each in queries if not asked(address, sooner(each))]
    assert len(queries) > 12 and empty == []


def test_a_label_that_the_operator_takes_for_itself_is_not_ours(watched):
    _, address, _ = watched
    series = asked(address, '{__name__=~"bentoml_.+|slipway_.+"}')
    assert {each["metric"]["namespace"] for each in series} == {HOST, declared("PodMonitor")["metadata"]["namespace"]}
    assert not [name for each in series for name in each["metric"] if name.startswith("exported_")]


def _all(receivers, alerts, state):
    return all(receivers.has(each, alert, state) for each, alert in itertools.product(RECEIVERS, alerts))
