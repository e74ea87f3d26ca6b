"""What the load balancer sees of the services, as CloudWatch draws it."""

from __future__ import annotations

import json
from typing import Any

PERIOD, SPACE = 60, "AWS/ApplicationELB"
COUNTS = {
    "RequestCount": "requests",
    "HTTPCode_Target_4XX_Count": "refused (4xx)",
    "HTTPCode_Target_5XX_Count": "failed (5xx)",
    "HTTPCode_ELB_5XX_Count": "no answer of a pod (5xx)",
}


def dashboard(region: str, balancer: str) -> str:
    """The body of a dashboard. `balancer`: its dimension, `app/<name>/<id>`."""
    own = ["LoadBalancer", balancer]
    groups = f'{{{SPACE},LoadBalancer,TargetGroup}} LoadBalancer="{balancer}"'
    counts = [[SPACE, name, *own, {"label": label}] for name, label in COUNTS.items()]
    times = [[SPACE, "TargetResponseTime", *own, {"stat": stat, "label": stat}] for stat in ("p50", "p99")]
    widgets = [
        _widget("Requests a minute", region, "Sum", counts),
        _widget("Response time, seconds", region, "p99", times),
        _widget("Requests by service", region, "Sum", _search(f'{groups} MetricName="RequestCount"', "Sum")),
        _widget("Unhealthy pods", region, "Maximum", _search(f'{groups} MetricName="UnHealthyHostCount"', "Maximum")),
    ]
    places = [{"x": 12 * (at % 2), "y": 6 * (at // 2), "width": 12, "height": 6} for at in range(len(widgets))]
    return json.dumps({"widgets": [{**w, **place} for w, place in zip(widgets, places, strict=True)]}, sort_keys=True)


def _widget(title: str, region: str, stat: str, metrics: list[list[Any]]) -> dict[str, Any]:
    shown = {"title": title, "region": region, "view": "timeSeries", "stat": stat, "period": PERIOD, "metrics": metrics}
    return {"type": "metric", "properties": shown}


def _search(what: str, stat: str) -> list[list[Any]]:
    return [[{"expression": f"SEARCH('{what}', '{stat}', {PERIOD})"}]]
