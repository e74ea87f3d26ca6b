"""What a stack can say about its cost. No price is here: those are in prices.yaml."""

from __future__ import annotations

from pydantic import Field, field_validator
from slipway.infra.config.base import Settings


class UsageConfig(Settings):
    """What is billed by use, a month: the estimate's expected and highest case take it, the lowest takes none."""

    modelGb: float = Field(default=5, ge=0, description="stored in the bucket of models")
    imageGb: float = Field(default=10, ge=0, description="stored in the registry")
    logGb: float = Field(default=10, ge=0, description="logs taken in, of each log group")
    natGb: float = Field(default=20, ge=0, description="through each way out, and each interface endpoint")
    requestsMillion: float = Field(default=10, ge=0, description="millions of requests through a web firewall")
    samplesMillion: float = Field(default=200, ge=0, description="millions of samples into managed Prometheus")
    trafficGb: float = Field(default=50, ge=0, description="through each load balancer")


class CostConfig(Settings):
    """How the cost is estimated."""

    usage: UsageConfig = Field(default=UsageConfig(), description="what is billed by use: {logGb: 10, natGb: 20, ...}")
    expectedNodes: dict[str, int] = Field(
        default={}, description="nodes of a pool on average: {gpu: 2}; default: what is desired, at least one"
    )
    nodeTypes: dict[str, str] = Field(
        default={},
        description="the machine of a pool that leaves the choice to the cloud: {general-purpose: m7i.large}",
    )
    prices: dict[str, float] = Field(default={}, description="your own prices by item: {aws/instance/g6.xlarge: 0.61}")
    discounts: dict[str, float] = Field(
        default={}, description="off the list price, by item or its beginning: {aws/instance: 0.28}"
    )

    @field_validator("prices")
    @classmethod
    def _prices(cls, prices: dict[str, float]) -> dict[str, float]:
        for item, usd in prices.items():
            if usd < 0:
                raise ValueError(f"{item}: {usd} is less than nothing; give US dollars per unit, as in prices.yaml")
        return prices

    @field_validator("discounts")
    @classmethod
    def _discounts(cls, discounts: dict[str, float]) -> dict[str, float]:
        for item, share in discounts.items():
            if not 0 <= share < 1:
                raise ValueError(f"{item}: {share} is no share of the price; 0.28 is 28 % off")
        return discounts
