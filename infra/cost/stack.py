"""The running program's own price."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
from slipway.infra.config.cost import CostConfig
from slipway.infra.cost.declared import Declarations
from slipway.infra.cost.estimate import estimate, regions
from slipway.infra.cost.needs import Pricing, Stack
from slipway.infra.cost.predictions import cost_per_1k
from slipway.infra.cost.prices import Prices


class OverBudget(pulumi.RunError):
    """The stack can cost more than it may, or nobody knows what it costs."""


class Cost:
    """What the declared resources cost a month. To be made before the first resource is declared."""

    def __init__(self, config: CostConfig, pricing: Pricing, limit: int = 0) -> None:
        """`limit`: US dollars a month; 0: none."""
        self._config, self._pricing, self._limit, self._declarations = config, pricing, limit, Declarations()

    def of(self, reports: dict[str, Path | None]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The outputs `monthlyCostUsd`, and by service `costPer1kUsd`. To be asked when all is declared.

        `reports`: by service the folder of its artifact, None where it is not built yet.

        Raises:
            OverBudget: the highest case is over `maxMonthlyUsd`, or a price is unknown where there is such a limit.
        """
        declared = self._declarations.all()
        places = regions(declared, self._pricing.regions)
        prices = Prices.load(self._config)
        found = estimate(Stack(declared=declared, regions=places, config=self._config), prices, self._pricing.billing)
        if problem := found.over(self._limit):
            raise OverBudget(problem)
        region = places.get(self._pricing.cloud, "")
        return found.output() | {"limit": self._limit}, {
            name: cost_per_1k(_report(folder), found, prices, region) for name, folder in reports.items()
        }


def _report(folder: Path | None) -> dict[str, Any] | None:
    file = folder / "report.json" if folder else None
    if file is None or not file.is_file():
        return None
    report: dict[str, Any] = json.loads(file.read_text())
    return report
