"""What 1,000 predictions cost, from what was measured: never from another machine's figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from slipway.infra.cost.estimate import Estimate
from slipway.infra.cost.prices import Prices

REFERENCE = "fp32"
NODE_ITEM = re.compile(r"[a-z-]+/(instance|spot)/")


def cost_per_1k(report: Mapping[str, Any] | None, estimate: Estimate, prices: Prices, region: str) -> dict[str, Any]:
    """US dollars for 1,000 predictions of the chosen variant (`after`) and of FP32 (`before`), on a machine that the
    model alone keeps busy: the hour's price over the predictions of an hour. `unmeasured` says why there is none."""
    if report is None:
        return {"unmeasured": "the model is not built yet"}
    hardware = report.get("hardware", {})
    chosen = report["choice"]["variant"]
    rates = {each["name"]: each.get("throughputAllThreads") for each in report["variants"]}
    if not rates.get(chosen):
        return {"unmeasured": f"{chosen} for {hardware.get('target')} was built where no such hardware is"}
    machine = hardware.get("machine")
    nodes = _nodes(estimate)
    if machine not in nodes:
        where = machine or hardware.get("cpu") or "an unnamed machine"
        return {"unmeasured": f"measured on {where}, the stack has {', '.join(sorted(nodes)) or 'no machine'}"}
    price = prices.find(nodes[machine], region)
    if price is None:
        return {"unmeasured": f"no price of {nodes[machine]} in {region}"}
    figures = {"after": _usd(price.usd, rates.get(chosen)), "before": _usd(price.usd, rates.get(REFERENCE))}
    return {**{case: usd for case, usd in figures.items() if usd is not None}, "machine": machine}


def _nodes(estimate: Estimate) -> dict[str, str]:
    """The machine types that the stack's nodes may have, each with its item."""
    return {item.rsplit("/", 1)[1]: item for item in _items(estimate) if NODE_ITEM.match(item)}


def _items(estimate: Estimate) -> Iterable[str]:
    return (item for line in estimate.lines for item in line.item.split(", "))


def _usd(hourly: Decimal, per_second: float | None) -> float | None:
    return float(hourly * 1000 / (Decimal(str(per_second)) * 3600)) if per_second else None
