"""A double of KEDA: the autoscaler that it makes of a ScaledObject, and the metric that this one asks for.

`python -m tests.cluster.keda CERTIFICATE SERVER QUERY`, run inside the cluster's network, answers it by the
ScaledObject's own query."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml
from slipway.infra.home import ROOT
from slipway.infra.runtime import METRICS_PORT

from slipway.simulator.kube.api import Api, Ref
from tests.cluster import cluster, places
from tests.cluster.debian import watching
from tests.cluster.parts.metrics import answering
from tests.cluster.watching import SCRAPES, pod, ready
from tests.waiting import until

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
METRIC = "s0-prometheus"  # as KEDA calls that of the first trigger


@contextmanager
def prometheus(api: Api, space: str, folder: Path, scrape: dict[str, Any], port: int) -> Iterator[str]:
    """The address, from outside, of a Prometheus that scrapes a namespace's pods in the cluster. `port`: a node port.

    Debian's can't ask Kubernetes which pods there are: a thread tells it what its discovery would."""
    found = {key: each for key, each in scrape.items() if key != "kubernetes_sd_configs"}
    found |= {"scrape_interval": SCRAPES, "scrape_timeout": SCRAPES}
    found["file_sd_configs"] = [{"files": [f"{folder}/pods.json"], "refresh_interval": "1s"}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [found]}))
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/series"]
    program, stop = watching() / "usr" / "bin" / "prometheus", threading.Event()
    telling = threading.Thread(target=_tell, args=(api, space, folder, stop), daemon=True)
    telling.start()
    try:
        with inside(folder / "prometheus.log", program, *options, f"--web.listen-address=0.0.0.0:{port}"):
            until(lambda: ready(port), 60, f"see {folder}/prometheus.log")
            yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        telling.join()


def _tell(api: Api, space: str, folder: Path, stop: threading.Event) -> None:
    """Writes which pods run, as often as they change."""
    before = ""
    while not stop.wait(0.5):
        running = [each for each in api.list("v1", "Pod", space) if each["status"].get("phase") == "Running"]
        text = json.dumps(
            [
                {
                    "targets": [f"{each['status']['podIP']}:{METRICS_PORT}"],
                    "labels": pod(space, each["metadata"]["name"], each["metadata"]["labels"]),
                }
                for each in running
            ]
        )
        if text != before:
            (folder / "pods.new").write_text(text)
            (folder / "pods.new").rename(folder / "pods.json")
            before = text


@contextmanager
def acting(api: Api, scaled: dict[str, Any], folder: Path) -> Iterator[Ref]:
    """The autoscaler of a ScaledObject, which goes afterwards."""
    trigger = scaled["spec"]["triggers"][0]["metadata"]
    pair = ["-newkey", "rsa:2048", "-keyout", folder / "keda.pem", "-out", folder / "keda.crt"]
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-subj", "/CN=keda", *pair], check=True, capture_output=True)
    with (folder / "keda.pem").open("a") as file:
        file.write((folder / "keda.crt").read_text())
    made = [*answering("keda", places.KEDA, GROUP, VERSION), _autoscaler(scaled, trigger["threshold"])]
    double = [sys.executable, "-m", "tests.cluster.keda", folder / "keda.pem", trigger["serverAddress"]]
    with inside(folder / "keda.log", *double, trigger["query"]):
        for each in made:
            api.apply(each, "test")
        try:
            yield Ref.to(made[-1])
        finally:
            for each in reversed(made):
                api.delete(Ref.to(each), "Background")


@contextmanager
def inside(log: Path, *command: object) -> Iterator[None]:
    """A process in the cluster's network."""
    enter = ["nsenter", "--target", str(cluster.inside()), "--net"]
    with log.open("w") as file:
        process = subprocess.Popen([*enter, *map(str, command)], cwd=ROOT, stdout=file, stderr=file)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _autoscaler(scaled: dict[str, Any], threshold: str) -> dict[str, Any]:
    """What KEDA makes of a ScaledObject with one trigger: keda/pkg/scaling and controllers/keda/hpa.go."""
    spec, about = scaled["spec"], scaled["metadata"]
    metric = {"name": METRIC, "selector": {"matchLabels": {"scaledobject.keda.sh/name": about["name"]}}}
    wanted = {"type": "AverageValue", "averageValue": threshold}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"keda-hpa-{about['name']}", "namespace": about["namespace"]},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", **spec["scaleTargetRef"]},
            "minReplicas": spec["minReplicaCount"],
            "maxReplicas": spec["maxReplicaCount"],
            "metrics": [{"type": "External", "external": {"metric": metric, "target": wanted}}],
            "behavior": spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
        },
    }


def answer(path: str, server: str, query: str) -> dict[str, Any] | None:
    """What the API group says at a path: its metrics, or one of them; no series are nought, as for KEDA."""
    about: dict[str, Any] = {"apiVersion": f"{GROUP}/{VERSION}"}
    if path == f"/apis/{GROUP}/{VERSION}":
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": about["apiVersion"], "resources": []}
    if not path.endswith(f"/{METRIC}"):
        return None
    with urlopen(f"{server}/api/v1/query?{urlencode({'query': query})}", timeout=5) as found:
        series = json.load(found)["data"]["result"]
    value = round(1000 * float(series[0]["value"][1])) if series else 0
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    item = {"metricName": METRIC, "metricLabels": {}, "timestamp": now, "value": f"{value}m"}
    return about | {"kind": "ExternalMetricValueList", "metadata": {}, "items": [item]}


def main(certificate: str, server: str, query: str) -> None:
    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answer(self.path.partition("?")[0], server, query)
            text = json.dumps(found).encode()
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    served = ThreadingHTTPServer((places.NODE_ADDRESS, places.KEDA), Metrics)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    served.socket = context.wrap_socket(served.socket, server_side=True)
    served.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
