"""What a resource is billed for: amounts of priced items, in the lowest, the expected and the highest case."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from slipway.infra.config.cost import CostConfig
from slipway.infra.cost.declared import Declared


@dataclass(frozen=True)
class Span:
    """The lowest, the expected and the highest case."""

    min: Decimal
    expected: Decimal
    max: Decimal

    @classmethod
    def of(cls, low: Any, expected: Any = None, high: Any = None) -> Span:
        """`of(3)`: always; `of(0, 1, 2)`: each case."""
        cases = (low, low if expected is None else expected, low if high is None else high)
        return cls(*(Decimal(str(each)) for each in cases))

    @classmethod
    def by_use(cls, amount: float) -> Span:
        return cls.of(0, amount, amount)

    def __add__(self, other: Span) -> Span:
        return Span(self.min + other.min, self.expected + other.expected, self.max + other.max)

    def __mul__(self, other: Span | Decimal | int) -> Span:
        by = other if isinstance(other, Span) else Span.of(other)
        return Span(self.min * by.min, self.expected * by.expected, self.max * by.max)


# As europe-west4-a; a region has no letter at its end.
ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
ONE, NONE = Span.of(1), Span.of(0)


@dataclass(frozen=True, kw_only=True)
class Need:
    """`amount` of an item in a region. `item` None: it is billed, and `why` nobody can say how much.

    `choices`: the item is one of these, and the cloud takes which it likes: the first is expected, the dearest is the
    highest case. `share_of`: the item is a share of the price of that other one."""

    item: str | None = None
    region: str = "global"
    amount: Span = ONE
    choices: Sequence[str] = ()
    share_of: str | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """All that is declared, and where: what a rule looks at besides its own resource. `regions`: by cloud."""

    declared: Sequence[Declared]
    regions: Mapping[str, str]
    config: CostConfig = field(default_factory=CostConfig)

    def of_type(self, *kinds: str) -> list[Declared]:
        return [each for each in self.declared if each.type in kinds]

    def nodes(self, pool: str, low: int, high: int, desired: int | None = None) -> Span:
        """How many nodes a pool has; on average what the stack says, or what is desired, or one."""
        expected = self.config.expectedNodes.get(pool, desired if desired is not None else max(low, min(1, high)))
        return Span.of(low, min(max(expected, low), high), high)


Rule = Callable[[Declared, Stack], list[Need]]


@dataclass(frozen=True, kw_only=True)
class Billing:
    """How clouds bill: a rule for each type that costs, and the types that are free."""

    billed: Mapping[str, Rule]
    free: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Pricing:
    """`regions`: those configured, by cloud. `cloud`: that the services run on, empty where they run on none."""

    billing: Billing
    regions: Mapping[str, str]
    cloud: str


def always(*items: str) -> Rule:
    """One of each, all the time."""
    return lambda resource, stack: [Need(item=item, region=region_of(resource, stack)) for item in items]


def by_use(item: str, usage: str) -> Rule:
    """As much as the configuration says of the usage."""
    return lambda resource, stack: [
        Need(
            item=item,
            region=region_of(resource, stack),
            amount=Span.by_use(getattr(stack.config.usage, usage)),
            why=f"by use: cost.usage.{usage}",
        )
    ]


def region_of(resource: Declared, stack: Stack) -> str:
    """The resource's own region, else its provider's. Of a zone it is the region."""
    cloud = resource.type.split(":")[0]
    place = resource.get("region") or resource.get("location") or stack.regions.get(cloud) or ""
    place = str(place).lower()
    return place[:-2] if ZONE.fullmatch(place) else place


def count(value: Any, default: int = 0) -> int:
    """A number that the program gave; the default where it is not set or not known yet."""
    return int(value) if isinstance(value, (int, float, str)) and str(value) != "" else default
