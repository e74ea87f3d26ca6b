"""The running program's own price."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from infra.cost.declared import Declarations
from infra.cost.estimate import estimate, regions
from infra.cost.needs import Stack
from infra.cost.predictions import cost_per_1k
from infra.cost.prices import Prices

if TYPE_CHECKING:
    from infra.config import StackConfig

CLOUDS = ("aws", "gcp")


class OverBudget(pulumi.RunError):
    """The stack can cost more than it may, or nobody knows what it costs."""


class Cost:
    """What the declared resources cost a month. To be made before the first resource is declared."""

    def __init__(self, config: StackConfig) -> None:
        self._config, self._declarations = config, Declarations()

    def of(self, reports: dict[str, Path | None]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The outputs `monthlyCostUsd`, and by service `costPer1kUsd`. To be asked when all is declared.

        `reports`: by service the folder of its artifact, None where it is not built yet.

        Raises:
            OverBudget: the highest case is over `maxMonthlyUsd`, or a price is unknown where there is such a limit.
        """
        declared = self._declarations.all()
        settings = {cloud: getattr(self._config, cloud, None) for cloud in CLOUDS}
        places = regions(declared, {cloud: getattr(each, "region", None) or "" for cloud, each in settings.items()})
        prices = Prices.load(self._config.cost)
        found = estimate(Stack(declared=declared, regions=places, config=self._config.cost), prices)
        if problem := found.over(self._config.maxMonthlyUsd):
            raise OverBudget(problem)
        region = places.get(self._config.platform, "")
        return found.output() | {"limit": self._config.maxMonthlyUsd}, {
            name: cost_per_1k(_report(folder), found, prices, region) for name, folder in reports.items()
        }


def _report(folder: Path | None) -> dict[str, Any] | None:
    file = folder / "report.json" if folder else None
    if file is None or not file.is_file():
        return None
    report: dict[str, Any] = json.loads(file.read_text())
    return report
