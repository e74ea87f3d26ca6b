"""The panels of every dashboard: dashboard.json, which Grafana takes as it is, and clouds' dashboards are made from."""

from __future__ import annotations

import json
from dataclasses import dataclass

from slipway.infra.monitoring.rules import HERE

# What picks a stack's services in dashboard.json, and for how long rates are taken there.
_CHOSEN, _WINDOW = 'namespace="$namespace",service_name=~"$service"', "$__rate_interval"


@dataclass(frozen=True)
class Panel:
    """`queries`: PromQL, one for each kind of line."""

    title: str
    queries: tuple[str, ...]


def grafana() -> str:
    """The dashboard for Grafana, with variables for the namespace and the service."""
    return (HERE / "dashboard.json").read_text()


def panels(chosen: str, window: str) -> list[Panel]:
    """The same panels without variables. `chosen`: matchers of labels, `namespace="a"`; `window`: of rates, `5m`."""
    return [
        Panel(
            each["title"],
            tuple(one["expr"].replace(_CHOSEN, chosen).replace(_WINDOW, window) for one in each["targets"]),
        )
        for each in json.loads(grafana())["panels"]
    ]
