"""What each platform tells a Prometheus about one and the same service: how it is scraped, the rules, the panels."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml
from slipway.infra.monitoring.files import monitoring_files
from slipway.infra.monitoring.panels import panels
from slipway.infra.monitoring.rules import alerts, rules
from slipway.infra.workload.names import STACK

from tests.cluster.watching import SCRAPES, pod, scrape_of
from tests.infra.aws.stacks import VARIANTS as AWS
from tests.infra.gcp.stacks import VARIANTS as GCP
from tests.recorder import run_program
from tests.workload.examples import manifests, manifests_of

DECLARED = "slipway-test"  # the namespace of every stack of the tests; here each platform has one of its own
ALERTS = [rule["alert"] for rule in alerts(rules(DECLARED))]


@dataclass(frozen=True)
class Watched:
    """`rules`: as in a file of rules. `drawn`: queries by the panel's title."""

    namespace: str
    scrape: dict[str, Any]
    rules: dict[str, Any]
    drawn: dict[str, tuple[str, ...]]


def every(address: str, clouds: bool) -> dict[str, Watched]:
    """By platform. `address`: of the service's metrics. `clouds`: those too, whose programs take a minute to run."""
    found = {"Kubernetes": kubernetes(address), "one host": host(address)}
    return found | {"EKS": eks(address), "GKE": gke(address)} if clouds else found


def kubernetes(address: str) -> Watched:
    found = manifests("public")
    scrape = _found_as_pod(scrape_of(_one(found, "PodMonitor")), DECLARED, address)
    return Watched(DECLARED, scrape, _one(found, "PrometheusRule")["spec"], _drawn(DECLARED))


def host(address: str) -> Watched:
    files = monitoring_files("slipway-host", {"static_configs": [{"targets": [address]}]})
    (scrape,) = yaml.safe_load(files["scrape.yaml"])["scrape_configs"]
    return Watched("slipway-host", _sooner(scrape), yaml.safe_load(files["rules.yaml"]), _drawn("slipway-host"))


def eks(address: str) -> Watched:
    """Amazon's collector and workspace take configurations of Prometheus; Grafana asks the workspace."""
    program, space = run_program(**AWS["example"]()), "slipway-eks"
    texts = (
        program.inputs_of("metrics", "Scraper")["scrapeConfiguration"],
        program.inputs_of("rules", "RuleGroupNamespace")["data"],
    )
    collected, ruled = (yaml.safe_load(each.replace(DECLARED, space)) for each in texts)
    (scrape,) = collected["scrape_configs"]
    return Watched(space, _found_as_pod(scrape, space, address), ruled, _drawn(space))


def gke(address: str) -> Watched:
    """Google's collector is told by a PodMonitoring, what alerts and is drawn are queries."""
    program, space = run_program(**GCP["example"]()), "slipway-gke"
    monitoring, dashboard, policies = (
        json.loads(json.dumps(each).replace(DECLARED, space))
        for each in (
            _one(manifests_of(program), "PodMonitoring"),
            json.loads(program.inputs_of("services", "Dashboard")["dashboardJson"]),
            {each.name: each.inputs["conditions"][0] for each in program.of_type("AlertPolicy")},
        )
    )
    ruled = []
    for alert in ALERTS:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", alert.removeprefix("Slipway")).lower()
        asked = policies[name]["conditionPrometheusQueryLanguage"]
        ruled.append({"alert": alert, "expr": asked["query"], "for": asked["duration"]})
    tiles = [each["widget"] for each in dashboard["mosaicLayout"]["tiles"]]
    drawn = {
        each["title"]: tuple(one["timeSeriesQuery"]["prometheusQuery"] for one in each["xyChart"]["dataSets"])
        for each in tiles
    }
    cluster = re.findall(r'cluster="([^"]+)"', ruled[0]["expr"])[0]
    scrape = {"job_name": "google", "relabel_configs": _googles(monitoring, space, cluster)}
    kept = monitoring["spec"]["endpoints"][0]["metricRelabeling"]
    names = {"sourceLabels": "source_labels"}
    scrape["metric_relabel_configs"] = [{names.get(key, key): value for key, value in each.items()} for each in kept]
    groups = {"groups": [{"name": "policies", "rules": ruled}]}
    return Watched(space, _found_as_pod(scrape, space, address), groups, drawn)


def _googles(monitoring: dict[str, Any], space: str, cluster: str) -> list[dict[str, Any]]:
    """What Google's operator makes of a PodMonitoring, as recorded from its source (prometheus-engine,
    pkg/operator/apis/monitoring/v1/pod_config.go): labels of a target win over those of a series."""
    meta, name = "__meta_kubernetes_", monitoring["metadata"]["name"]
    forced = {"project_id": "example-project", "location": "europe-west1", "cluster": cluster, "job": name}
    kept = {
        f"{meta}namespace": space,
        f"{meta}pod_container_port_name": monitoring["spec"]["endpoints"][0]["port"],
        **{
            f"{meta}pod_label_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}": value
            for key, value in monitoring["spec"]["selector"]["matchLabels"].items()
        },
    }
    taken = {"pod": f"{meta}pod_name", "container": f"{meta}pod_container_name", "namespace": f"{meta}namespace"}
    port = [f"{meta}pod_name", f"{meta}pod_container_port_name"]
    return [
        *({"target_label": label, "replacement": value} for label, value in forced.items()),
        *({"source_labels": [label], "regex": value, "action": "keep"} for label, value in kept.items()),
        *({"source_labels": [source], "target_label": label} for label, source in taken.items()),
        {"source_labels": port, "regex": "(.+);(.+)", "replacement": "$1:$2", "target_label": "instance"},
    ]


def _found_as_pod(scrape: dict[str, Any], space: str, address: str) -> dict[str, Any]:
    """With a pod at the address in place of those that discovery would find in a cluster."""
    found = pod(space, "digits-1", {STACK: space, "app.kubernetes.io/name": "digits"})
    kept = {key: each for key, each in scrape.items() if key != "kubernetes_sd_configs"}
    return _sooner({**kept, "job_name": space, "static_configs": [{"targets": [address], "labels": found}]})


def _sooner(scrape: dict[str, Any]) -> dict[str, Any]:
    return {**scrape, "scrape_interval": SCRAPES, "scrape_timeout": SCRAPES}


def _drawn(space: str) -> dict[str, tuple[str, ...]]:
    return {each.title: each.queries for each in panels(f'namespace="{space}",service_name=~".+"', "1d")}


def _one(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (one,) = [each for each in found if each["kind"] == kind]
    return one
