"""The panels of every dashboard that the load balancer's metrics can fill, as CloudWatch draws them.

CloudWatch does not ask Prometheus: drift, accuracy, batches and the rest are in a Grafana over the workspace. The load
balancer tells paths and the statuses of a class from each other as little: requests are those of all paths, and those
turned away (429) are among all that were refused (4xx).
"""

from __future__ import annotations

import json
from typing import Any

from slipway.infra.monitoring.panels import panels

PERIOD, SPACE = 60, "AWS/ApplicationELB"
Metrics = list[list[Any]]


def dashboard(region: str, balancer: str) -> str:
    """The body of a dashboard. `balancer`: its dimension, `app/<name>/<id>`."""
    drawn = {"Requests a second": _requests, "Failed (5xx) and turned away (429)": _failed, "Time to answer": _times}
    shown = [(each.title, drawn[each.title](balancer)) for each in panels("", "") if each.title in drawn]
    widgets = [_widget(title, region, metrics) for title, metrics in [*shown, ("Unhealthy pods", _unhealthy(balancer))]]
    places = [{"x": 12 * (at % 2), "y": 6 * (at // 2), "width": 12, "height": 6} for at in range(len(widgets))]
    return json.dumps({"widgets": [{**w, **place} for w, place in zip(widgets, places, strict=True)]}, sort_keys=True)


def _requests(balancer: str) -> Metrics:
    """By service and class of status."""
    metrics = " OR ".join(f'"HTTPCode_Target_{each}XX_Count"' for each in (2, 4, 5))
    return [[{"expression": f"{_search(balancer, f'({metrics})', 'Sum')} / {PERIOD}"}]]


def _failed(balancer: str) -> Metrics:
    """Of all services, as the alarm has it: what no pod answered is in no count of requests."""
    counted = {
        "failed": "HTTPCode_Target_5XX_Count", "gone": "HTTPCode_ELB_5XX_Count", "refused": "HTTPCode_Target_4XX_Count",
        "sent": "RequestCount",
    }  # fmt: skip
    every = "(FILL(sent, 0) + FILL(gone, 0))"
    shares = {"failed (5xx)": "(FILL(failed, 0) + FILL(gone, 0))", "refused (4xx)": "FILL(refused, 0)"}
    return [
        *(
            [{"expression": f"IF({every} > 0, {share} / {every}, 0)", "label": label}]
            for label, share in shares.items()
        ),
        *(
            [SPACE, metric, "LoadBalancer", balancer, {"id": id_, "stat": "Sum", "visible": False}]
            for id_, metric in counted.items()
        ),
    ]


def _times(balancer: str) -> Metrics:
    return [[{"expression": _search(balancer, '"TargetResponseTime"', stat)}] for stat in ("p50", "p99")]


def _unhealthy(balancer: str) -> Metrics:
    return [[{"expression": _search(balancer, '"UnHealthyHostCount"', "Maximum")}]]


def _search(balancer: str, metric: str, stat: str) -> str:
    """Each service's series: a target group is a service's."""
    what = f'{{{SPACE},LoadBalancer,TargetGroup}} LoadBalancer="{balancer}" MetricName={metric}'
    return f"SEARCH('{what}', '{stat}', {PERIOD})"


def _widget(title: str, region: str, metrics: Metrics) -> dict[str, Any]:
    shown = {"title": title, "region": region, "view": "timeSeries", "period": PERIOD, "metrics": metrics}
    return {"type": "metric", "properties": shown}
