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
from slipway.infra.runtime import RUNTIMES
from slipway.service.artifact import seal
from slipway.service.manifest import ONNX
from slipway.service.telemetry.features import reference

from slipway.ops.would_alert import verdicts
from slipway.ops.would_alert import watched as looked
from tests.callers import HEADERS, access
from tests.cluster.dockerd import free_port
from tests.cluster.watched import ALERTS, every
from tests.cluster.watching import FASTER, asked, prometheus, sooner, sooner_rules
from tests.service.conftest import ROOT, make_artifact
from tests.waiting import until

RATE = 40  # requests a second that one key may make; a healthy caller stays below it
RECEIVERS = ("webhook", "chat", "mail")
CLOUDS = ("EKS", "GKE")
FULL = "SLIPWAY_FULL" in os.environ


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
    """A service, Prometheus's address, the receivers, and what each platform tells of the service."""
    folder = tmp_path_factory.mktemp("watched")
    service = Service(folder)
    platforms = every(service.metrics, clouds=FULL)
    rules = [sooner_rules(each.rules) for each in platforms.values()]
    try:
        with prometheus(folder, [each.scrape for each in platforms.values()], rules) as (address, receivers):
            yield service, address, receivers, platforms
    finally:
        service.close()


def row(name, cells):
    """A line of a table of docs/watching.md."""
    return f"| {name} | {' | '.join(cells)} |"


def astray(lines):
    """Those that are not in the docs; without the clouds lines are shorter."""
    text = (ROOT / "docs" / "watching.md").read_text().splitlines()
    return [each for each in lines if not any(one == each if FULL else one.startswith(each) for one in text)]


@pytest.mark.skipif(not FULL, reason="make test-cluster-full")
def test_every_rule_of_every_platform_fires_is_routed_and_resolves_and_none_does_in_a_healthy_hour(watched):
    service, address, receivers, platforms = watched
    time.sleep(3600 / FASTER)
    assert asked(address, "ALERTS") == []
    spaces = [each.namespace for each in platforms.values()]
    service.trouble(True)
    until(lambda: told(receivers, spaces, ALERTS, "firing"), 200, receivers.told)
    service.trouble(False)
    until(lambda: told(receivers, spaces, ALERTS, "resolved"), 200, receivers.told)
    seen = {}
    for name, each in platforms.items():
        for alert in ALERTS:
            fired = asked(address, f'max_over_time(ALERTS{{alertname="{alert}",namespace="{each.namespace}"}}[1h])')
            routed, resolved = (told(receivers, [each.namespace], [alert], state) for state in ("firing", "resolved"))
            # What a cloud routes by is its own: here Alertmanager stands for it.
            words = {"fired": fired, "routed": routed and name not in CLOUDS, "resolved": resolved}
            seen.setdefault(alert, []).append(", ".join(word for word, was in words.items() if was))
    assert astray([row(f"`{alert}`", cells) for alert, cells in seen.items()]) == []


def test_a_service_that_fails_is_told_to_everybody_and_taken_back(watched):
    service, _, receivers, platforms = watched
    spaces = [each.namespace for each in platforms.values()]
    receivers.told.clear()
    service.trouble(True)
    until(lambda: told(receivers, spaces, ["SlipwayFailing"], "firing"), 60, receivers.told)
    shown = looked(lambda: {service.metrics: httpx.get(f"http://{service.metrics}/metrics").text}, 3)
    assert "SlipwayFailing" in [each.name for each in verdicts(shown) if each.fires]
    service.trouble(False)
    until(lambda: told(receivers, spaces, ["SlipwayFailing"], "resolved"), 60, receivers.told)


def test_every_panel_of_every_platform_and_the_query_that_scales_find_data(watched):
    _, address, _, platforms = watched
    cells = {}
    for each in platforms.values():
        for title, queries in each.drawn.items():
            empty = [query for query in queries if not asked(address, sooner(query))]
            cells.setdefault(title, []).append("data" if not empty else f"nothing of {empty}")
    assert astray([row(title, found) for title, found in cells.items()]) == []
    assert len(cells) > 10 and all(len(found) == len(platforms) for found in cells.values())
    assert asked(address, RUNTIMES[ONNX].requests_in_flight(platforms["Kubernetes"].namespace, "digits"))


def test_a_label_that_the_operator_takes_for_itself_is_not_ours(watched):
    _, address, _, platforms = watched
    series = asked(address, '{__name__=~"bentoml_.+|slipway_.+"}')
    assert {each["metric"]["namespace"] for each in series} == {each.namespace for each in platforms.values()}
    assert not [name for each in series for name in each["metric"] if name.startswith("exported_")]


def told(receivers, spaces, alerts, state):
    """Whether each receiver was told of each alert of each namespace."""
    wanted = itertools.product(RECEIVERS, spaces, alerts)
    return all((receiver, space, alert, state) in receivers.told for receiver, space, alert in wanted)
