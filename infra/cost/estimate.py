"""A stack's price for a month, from what it declares: a pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from slipway.infra.cost.declared import Declared
from slipway.infra.cost.needs import Billing, Need, Span, Stack
from slipway.infra.cost.prices import Price, Prices

CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one resource costs a month for one item. `usd` None: unknown, and `why`. `source`: of the price."""

    type: str
    name: str
    item: str
    usd: Span | None
    why: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """`lines`: all that is billed; what is unknown is in it and in no sum."""

    lines: Sequence[Line]

    @property
    def total(self) -> Span:
        return sum((line.usd for line in self.lines if line.usd is not None), Span.of(0))

    @property
    def unknown(self) -> list[Line]:
        return [line for line in self.lines if line.usd is None]

    @property
    def resources(self) -> list[tuple[str, str]]:
        """All billed resources, each once."""
        return list(dict.fromkeys((line.type, line.name) for line in self.lines))

    def _most(self, resource: tuple[str, str]) -> Decimal:
        spans = [line.usd for line in self.lines if (line.type, line.name) == resource and line.usd is not None]
        return sum((each.max for each in spans), Decimal())

    @property
    def priced(self) -> list[tuple[str, str]]:
        """Those of which nothing is unknown."""
        lacking = {(line.type, line.name) for line in self.unknown}
        return [each for each in self.resources if each not in lacking]

    def output(self) -> dict[str, Any]:
        """The stack's output `monthlyCostUsd`."""
        total = self.total
        figures = {"min": total.min, "expected": total.expected, "max": total.max}
        return {
            **{case: float(usd.quantize(CENT, ROUND_HALF_UP)) for case, usd in figures.items()},
            "unknown": sorted({f"{short(line.type)} {line.name}: {line.why}" for line in self.unknown}),
        }

    def over(self, most: int) -> str:
        """Why the stack is not inside a budget of US dollars a month; empty where it is. 0: there is none."""
        if not most:
            return ""
        if self.unknown:
            names = "\n".join(f"  {each}" for each in self.output()["unknown"])
            return (
                f"slipway:maxMonthlyUsd: {most:,} can't be held to, as the price of these is not known; give it in "
                f"slipway:cost.prices, or leave them out\n{names}"
            )
        if self.total.max <= most:
            return ""
        dearest = sorted(((self._most(each), each) for each in self.resources), reverse=True)[:3]
        names = ", ".join(f"{short(kind)} {name} {usd:,.0f}" for usd, (kind, name) in dearest)
        return (
            f"slipway:maxMonthlyUsd: the stack can cost {self.total.max:,.0f} US dollars a month, more than {most:,}; "
            f"most of it: {names}. Make it smaller, or raise the limit"
        )


def estimate(stack: Stack, prices: Prices, billing: Billing) -> Estimate:
    """What is billed of all that the stack declares. A type that no rule knows is billed at an unknown price."""
    lines: list[Line] = []
    for resource in stack.declared:
        if resource.type in billing.free or _inside_cluster(resource.type, billing):
            continue
        rule = billing.billed.get(resource.type)
        needs = rule(resource, stack) if rule else [Need(why="nothing is known of what this type costs")]
        lines += [_line(resource, need, prices) for need in needs]
    return Estimate(lines=lines)


def regions(declared: Sequence[Declared], default: Mapping[str, str]) -> dict[str, str]:
    """The region of each cloud: its provider's in the program, else the one configured."""
    found = dict(default)
    for each in declared:
        if each.type.startswith("pulumi:providers:") and each.get("region"):
            found[each.type.rsplit(":", 1)[1]] = str(each.get("region"))
    return found


def short(kind: str) -> str:
    """`aws:eks/nodeGroup:NodeGroup` as `NodeGroup`."""
    return kind.rsplit(":", 1)[-1]


def _inside_cluster(kind: str, billing: Billing) -> bool:
    """An object in a cluster costs nothing by itself, but for those that have a rule; providers are no resources."""
    return kind.startswith(("pulumi:", "pulumi-python:", "slipway:")) or (
        kind.startswith("kubernetes:") and kind not in billing.billed
    )


def _line(resource: Declared, need: Need, prices: Prices) -> Line:
    line = Line(
        type=resource.type, name=resource.name, item=need.item or ", ".join(need.choices), usd=None, why=need.why
    )
    if need.choices:
        found = [(item, prices.find(item, need.region)) for item in need.choices]
        if lacking := [item for item, price in found if price is None]:
            return _unknown(line, lacking, need.region)
        first, all_ = found[0][1], [price for _, price in found if price]
        assert first
        span = Span(min(all_, key=_usd).monthly, first.monthly, max(all_, key=_usd).monthly)
        return _known(line, need.amount * span, first)
    if need.item is None:
        return line
    price = prices.find(need.item, need.region)
    base = prices.find(need.share_of, need.region) if need.share_of else None
    if price is None or (need.share_of and base is None):
        return _unknown(line, [need.item if price is None else str(need.share_of)], need.region)
    unit = price.usd * base.monthly if base else price.monthly
    return _known(line, need.amount * unit, price)


def _known(line: Line, usd: Span, price: Price) -> Line:
    return Line(**{**vars(line), "usd": usd, "source": price.source})


def _unknown(line: Line, items: list[str], region: str) -> Line:
    return Line(**{**vars(line), "why": f"no price of {', '.join(items)} in {region or 'an unnamed region'}"})


def _usd(price: Price) -> Decimal:
    return price.usd
