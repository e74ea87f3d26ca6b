"""What a cluster's monitoring is told about a stack: what to scrape, when to call somebody, what to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.monitoring.panels import grafana
from slipway.infra.monitoring.rules import KEPT, rules
from slipway.infra.workload.cluster import Cluster
from slipway.infra.workload.names import STACK, Manifest, labels, this_stack


@dataclass(frozen=True, kw_only=True)
class ObservabilityArgs:
    """`cluster.monitoring` says whose objects these are."""

    cluster: Cluster


class Observability(pulumi.ComponentResource):
    """One for all services of a stack. Owns a monitor, rules and a dashboard; leaves their operator alone.

    With `prometheus`: PodMonitor, PrometheusRule and a ConfigMap that Grafana's sidecar loads. With `google`:
    PodMonitoring and the recorded Rules of Managed Prometheus; alerts and dashboard are the cloud's to make, whose own
    Alertmanager tells nobody.
    """

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        provided = pulumi.ResourceOptions(providers=[args.cluster.provider])
        super().__init__("slipway:kubernetes:Observability", name, None, pulumi.ResourceOptions.merge(opts, provided))
        self._name, self._cluster = name, args.cluster
        match args.cluster.monitoring:
            case "prometheus":
                scraped = {"port": "metrics", "interval": "30s", "metricRelabelings": [_kept()]}
                self._custom("monitoring.coreos.com/v1", "PodMonitor", {"podMetricsEndpoints": [scraped]})
                self._custom("monitoring.coreos.com/v1", "PrometheusRule", None)
                self._dashboard()
            case "google":
                scraped = {"port": "metrics", "interval": "30s", "metricRelabeling": [_kept()]}
                self._custom("monitoring.googleapis.com/v1", "PodMonitoring", {"endpoints": [scraped]})
                self._custom("monitoring.googleapis.com/v1", "Rules", None, alerting=False)
        self.register_outputs({})

    def _custom(self, version: str, kind: str, scrape: Manifest | None, alerting: bool = True) -> None:
        """A custom resource: of what is scraped, or of the rules."""

        def ruled(namespace: str) -> dict[str, Any]:
            groups = rules(namespace)["groups"]
            return {"groups": [each for each in groups if alerting or not any("alert" in one for one in each["rules"])]}

        select = {"selector": {"matchLabels": {STACK: this_stack()}}}
        spec: Any = {**select, **scrape} if scrape else pulumi.Output.from_input(self._cluster.namespace).apply(ruled)
        k8s.apiextensions.CustomResource(
            f"{self._name}-{'scrape' if scrape else 'rules'}",
            api_version=version,
            kind=kind,
            metadata=self._about(this_stack().lower().replace("_", "-")),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self._cluster.ready]),
        )

    def _dashboard(self) -> None:
        about = self._about("slipway-dashboard")
        about["labels"]["grafana_dashboard"] = "1"
        k8s.core.v1.ConfigMap(
            f"{self._name}-dashboard",
            metadata=about,
            data={"slipway.json": grafana()},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self._cluster.ready]),
        )

    def _about(self, name: str) -> Manifest:
        return {"name": name, "namespace": self._cluster.namespace, "labels": labels(self._name)}


def _kept() -> Manifest:
    return {"sourceLabels": ["__name__"], "regex": KEPT, "action": "keep"}
