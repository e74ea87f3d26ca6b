"""The dated price table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import yaml
from slipway.infra.config.cost import CostConfig

TABLE = Path(__file__).with_name("prices.yaml")
GLOBAL = "global"
HOURS = 730  # of a month, as the clouds' own calculators take it


@dataclass(frozen=True)
class Price:
    """US dollars `per` hour, month, GB, GB-month, or a share of another price. `source`: where it can be looked up."""

    usd: Decimal
    per: str
    source: str

    @property
    def monthly(self) -> Decimal:
        """For one unit that is there all month."""
        return self.usd * (HOURS if self.per == "hour" else 1)


class Prices:
    """Prices by item and region. The stack's own come first, and discounts are taken off the table's."""

    def __init__(self, table: Mapping[tuple[str, str], Price], config: CostConfig | None = None) -> None:
        self._table, self.config = table, config or CostConfig()
        self._per = {item: price.per for (item, _), price in table.items()}

    @classmethod
    def load(cls, config: CostConfig | None = None, file: Path = TABLE) -> Self:
        return cls(read_table(yaml.safe_load(file.read_text())), config)

    def find(self, item: str, region: str) -> Price | None:
        """None: nobody knows; never zero."""
        if (own := self.config.prices.get(item)) is not None:
            return Price(Decimal(str(own)), self._per.get(item, _unit(item)), "slipway:cost.prices")
        listed = self._table.get((item, region)) or self._table.get((item, GLOBAL))
        if listed is None:
            return None
        off = max((share for begin, share in self.config.discounts.items() if _begins(item, begin)), default=0.0)
        return Price(listed.usd * (1 - Decimal(str(off))), listed.per, listed.source)


def read_table(content: Mapping[str, Any]) -> dict[tuple[str, str], Price]:
    """By (item, region). Raises KeyError for a price whose source is not named: a figure without one is no figure."""
    return {
        (f"{row['item']}/{name}", row["region"]): Price(
            Decimal(str(usd)), row["per"], str(content["sources"][row["source"]]["at"])
        )
        for row in content["prices"]
        for name, usd in row["usd"].items()
    }


def _begins(item: str, begin: str) -> bool:
    return item == begin or item.startswith(f"{begin.rstrip('/')}/")


def _unit(item: str) -> str:
    """Machines are paid by the hour; what else is not in the table is taken by the month."""
    return "hour" if item.split("/")[1:2] in (["instance"], ["spot"]) else "month"
