"""The rules that every platform has: rules.yaml, filled in for one stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
# Names of the series that are scraped; the others would only cost.
KEPT = "bentoml_service_.*|slipway_.*"


def rules(namespace: str, failing: float = 0.01, slow: float = 1) -> dict[str, Any]:
    """The rules of a namespace, as Prometheus and its operators take them. `failing`: the share of answers 5xx that
    alarms; `slow`: the seconds that one answer in a hundred takes."""
    text = (HERE / "rules.yaml").read_text()
    for name, value in (("$NAMESPACE", namespace), ("$FAILING", f"{failing:g}"), ("$SLOW", f"{slow:g}")):
        text = text.replace(name, value)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def alerts(groups: dict[str, Any]) -> list[dict[str, Any]]:
    """The alerts among rules, with the expressions of recorded ones in place of their names."""
    every = [rule for group in groups["groups"] for rule in group["rules"]]
    recorded = {rule["record"]: rule["expr"] for rule in every if "record" in rule}
    found = []
    for rule in (each for each in every if "alert" in each):
        expression = str(rule["expr"])
        for name in sorted(recorded, key=len, reverse=True):
            expression = expression.replace(name, f"({recorded[name]})")
        found.append({**rule, "expr": expression})
    return found
