"""What watches the stack: alerts on the services, a dashboard, a check from outside, and who hears of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
from slipway.infra.monitoring.panels import Panel, panels
from slipway.infra.monitoring.rules import alerts, rules
from slipway.infra.platforms.gcp.config import WatchConfig
from slipway.infra.platforms.gcp.labels import all_labels

MINUTES = "5m"
REGIONS = ("EUROPE", "USA", "ASIA_PACIFIC")
# The one path that is answered without a key at the edge.
HEALTH = "/v2/health/ready"


@dataclass(frozen=True, kw_only=True)
class WatchArgs:
    """`cluster`, `namespace`: whose pods are looked at."""

    name: str
    project_id: str
    project: pulumi.Input[str]
    config: WatchConfig
    cluster: pulumi.Input[str]
    namespace: str


class Watch(pulumi.ComponentResource):
    """Owns the notification channels, an alert for each rule of `monitoring/rules.yaml`, and a dashboard of the panels.
    Metrics are those of Google's managed Prometheus, asked in PromQL. Attribute: `channels`."""

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:Watch", name, None, opts)
        self._own, self._args = pulumi.ResourceOptions(parent=self), args
        self.channels = [
            gcp.monitoring.NotificationChannel(
                # As a label has it, which the name becomes: without @ and dots.
                f"alerts-{re.sub('[^a-z0-9]', '-', email.lower())}",
                project=args.project,
                display_name=f"{args.name}: {email}",
                type="email",
                labels={"email_address": email},
                opts=self._own,
            ).id
            for email in args.config.emails
        ]
        self._of = f'cluster="{{cluster}}",namespace="{args.namespace}"'
        for rule in alerts(rules(args.namespace, args.config.errorPercent / 100, args.config.p99Seconds)):
            # Another cluster of the project may have a namespace of that name.
            query = rule["expr"].replace(f'namespace="{args.namespace}"', self._of)
            what = str(rule["annotations"]["description"])
            self._alert(_plain(rule["alert"]), what, query, rule["labels"]["severity"], _seconds(rule["for"]))
        gcp.monitoring.Dashboard(
            "services",
            project=args.project,
            dashboard_json=pulumi.Output.from_input(args.cluster).apply(self._dashboard),
            opts=self._own,
        )
        self.register_outputs({})

    def unhealthy(self, service: str, deployments: Sequence[str]) -> None:
        """Alerts when pods of a service are wanted and not there. `deployments`: what it is made of, by name."""
        of = f'{self._of},deployment=~"{"|".join(deployments)}"'
        missing = f"sum(kube_deployment_spec_replicas{{{of}}}) - sum(kube_deployment_status_replicas_available{{{of}}})"
        self._alert(f"unhealthy-{service}", f"{service}: pods that are wanted and not there", f"{missing} > 0")

    def from_outside(self, service: str, host: str) -> None:
        """Asks a public service from three continents, by name and certificate, as callers do."""
        check = gcp.monitoring.UptimeCheckConfig(
            service,
            project=self._args.project,
            display_name=f"{self._args.name}: {host}",
            timeout="10s",
            period="60s",
            selected_regions=list(REGIONS),
            http_check={
                "path": HEALTH,
                "port": 443,
                "use_ssl": True,
                "validate_ssl": True,
                "accepted_response_status_codes": [{"status_value": 200}],
            },
            monitored_resource={"type": "uptime_url", "labels": {"host": host, "project_id": self._args.project_id}},
            opts=self._own,
        )
        passed = "monitoring_googleapis_com:uptime_check_check_passed"
        query = check.uptime_check_id.apply(
            lambda id_: (
                f'avg(avg_over_time({passed}{{monitored_resource="uptime_url",check_id="{id_}"}}[{MINUTES}])) < 0.5'
            )
        )
        self._alert(f"unreachable-{service}", f"{host} can't be reached from outside", query)

    def _alert(
        self, name: str, what: str, query: pulumi.Input[str], severity: str = "critical", seconds: int = 300
    ) -> None:
        asked = pulumi.Output.all(query, self._args.cluster).apply(
            lambda known: str(known[0]).replace("{cluster}", str(known[1]))
        )
        condition: Any = {
            "display_name": what[:200],
            "condition_prometheus_query_language": {
                "query": asked,
                "duration": f"{seconds}s",
                "evaluation_interval": "60s",
                # Before the first request there is no such metric.
                "disable_metric_validation": True,
            },
        }
        gcp.monitoring.AlertPolicy(
            name,
            project=self._args.project,
            display_name=f"{self._args.name}: {name}",
            combiner="OR",
            severity=severity.upper(),
            conditions=[condition],
            notification_channels=self.channels,
            alert_strategy={"auto_close": "1800s"},
            documentation={
                "content": f"{what.rstrip('.')}. `slipway doctor` tells more.",
                "mime_type": "text/markdown",
            },
            opts=self._own,
        )

    def _dashboard(self, cluster: str) -> str:
        tiles = panels(self._of.replace("{cluster}", cluster), MINUTES)
        return json.dumps(
            {
                "displayName": f"{self._args.name}: services",
                "labels": all_labels("services"),
                "mosaicLayout": {"columns": 12, "tiles": [_tile(at, each) for at, each in enumerate(tiles)]},
            },
            sort_keys=True,
        )


def _plain(alert: str) -> str:
    """`accuracy-lost` of SlipwayAccuracyLost."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", alert.removeprefix("Slipway")).lower()


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def _tile(at: int, panel: Panel) -> dict[str, Any]:
    series = [{"timeSeriesQuery": {"prometheusQuery": query}, "plotType": "LINE"} for query in panel.queries]
    place: dict[str, Any] = {"xPos": 4 * (at % 3), "yPos": 4 * (at // 3), "width": 4, "height": 4}
    return {**place, "widget": {"title": panel.title, "xyChart": {"dataSets": series}}}
