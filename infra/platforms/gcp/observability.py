"""What watches the stack: alerts on the services, a dashboard, a check from outside, and who hears of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
from slipway.infra.platforms.gcp.config import WatchConfig
from slipway.infra.platforms.gcp.labels import all_labels

MINUTES = "5m"
FAILED = ',http_response_code=~"5.."'
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
    """Owns who is told, alerts on errors, latency and drift of all services, and a dashboard. Metrics are those of
    Google's managed Prometheus, asked in PromQL. Attribute: `channels`."""

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
        asked = f'{self._of},slipway_endpoint=~"/predict|/v2/infer"'
        share = f"100 * {_rate(asked, FAILED)} / {_rate(asked)}"
        self._alert("errors", "answers 5xx, in percent", f"{share} > {args.config.errorPercent:g}")
        self._alert("latency", "99th percentile, in seconds", f"{_p99(asked)} > {args.config.p99Seconds:g}")
        self._alert(
            "drift",
            "inputs are no longer what the model was trained on",
            f"max by (service_name) (slipway_input_drifted{{{self._of}}}) > 0",
        )
        gcp.monitoring.Dashboard(
            "services",
            project=args.project,
            dashboard_json=pulumi.Output.from_input(args.cluster).apply(self._dashboard),
            opts=self._own,
        )
        self.register_outputs({})

    def unhealthy(self, service: str) -> None:
        """Alerts when pods of a service are wanted and not there."""
        of = f'cluster="{{cluster}}",namespace="{self._args.namespace}",deployment=~"{service}(-.*)?"'
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

    def _alert(self, name: str, what: str, query: pulumi.Input[str]) -> None:
        asked = pulumi.Output.all(query, self._args.cluster).apply(
            lambda known: str(known[0]).replace("{cluster}", str(known[1]))
        )
        condition: Any = {
            "display_name": what,
            "condition_prometheus_query_language": {
                "query": asked,
                "duration": "300s",
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
            conditions=[condition],
            notification_channels=self.channels,
            alert_strategy={"auto_close": "1800s"},
            documentation={"content": f"{what}. `slipway doctor` tells more.", "mime_type": "text/markdown"},
            opts=self._own,
        )

    def _dashboard(self, cluster: str) -> str:
        of = self._of.replace("{cluster}", cluster)
        tiles = [
            ("Requests a second", _rate(of)),
            (
                "Answers by status",
                f"sum by (http_response_code) (rate(bentoml_service_request_total{{{of}}}[{MINUTES}]))",
            ),
            ("99th percentile, seconds", _p99(of)),
            ("Requests in flight", f"sum by (service_name) (bentoml_service_request_in_progress{{{of}}})"),
            ("Drifted inputs", f"sum by (service_name) (slipway_input_drifted{{{of}}})"),
            ("GPU in use, percent", f'avg by (gpu) (DCGM_FI_DEV_GPU_UTIL{{cluster="{cluster}"}})'),
        ]
        return json.dumps(
            {
                "displayName": f"{self._args.name}: services",
                "labels": all_labels("services"),
                "mosaicLayout": {"columns": 12, "tiles": [_tile(at, *each) for at, each in enumerate(tiles)]},
            },
            sort_keys=True,
        )


def _rate(of: str, more: str = "") -> str:
    return f"sum by (service_name) (rate(bentoml_service_request_total{{{of}{more}}}[{MINUTES}]))"


def _p99(of: str) -> str:
    buckets = f"rate(bentoml_service_request_duration_seconds_bucket{{{of}}}[{MINUTES}])"
    return f"histogram_quantile(0.99, sum by (le, service_name) ({buckets}))"


def _tile(at: int, title: str, query: str) -> dict[str, Any]:
    series = {"timeSeriesQuery": {"prometheusQuery": query}, "plotType": "LINE"}
    place: dict[str, Any] = {"xPos": 6 * (at % 2), "yPos": 4 * (at // 2), "width": 6, "height": 4}
    return {**place, "widget": {"title": title, "xyChart": {"dataSets": [series]}}}
