"""What each resource costs, and how that differs from what runs now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.infra.cost.declared import Declared
from slipway.infra.cost.estimate import Estimate, estimate, regions, short
from slipway.infra.cost.needs import NONE, Billing, Span, Stack
from slipway.infra.cost.prices import Prices


@dataclass(frozen=True, kw_only=True)
class Share:
    """One resource's part of a month. `now` and `then` None: it is not there, or nothing of it is known. `is_whole`:
    nothing of it is unknown."""

    name: str
    now: Span | None
    then: Span | None
    is_whole: bool

    @property
    def change(self) -> Span:
        return (self.then or NONE) + (self.now or NONE) * -1


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What runs now and what a preview leads to."""

    now: Estimate
    then: Estimate
    places: dict[str, str]

    @property
    def shares(self) -> list[Share]:
        """Of all resources of both, by type and name."""
        sides = [_sums(self.now), _sums(self.then)]
        whole = {*self.then.priced} | ({*self.now.priced} - {*self.then.resources})
        return [
            Share(name=f"{short(kind)} {name}", now=sides[0].get((kind, name)), then=sides[1].get((kind, name)),
                  is_whole=(kind, name) in whole)
            for kind, name in sorted({*self.now.resources, *self.then.resources})
        ]  # fmt: skip


def difference(
    before: Sequence[Declared], after: Sequence[Declared], default: dict[str, str], prices: Prices, billing: Billing
) -> Difference:
    """Both priced by today's table. `default`: by cloud, the region that the configuration names."""
    now, then = (
        estimate(Stack(declared=each, regions=regions(each, default), config=prices.config), prices, billing)
        for each in (before, after)
    )
    return Difference(now=now, then=then, places=regions(after, default))


def _sums(found: Estimate) -> dict[tuple[str, str], Span]:
    sums: dict[tuple[str, str], Span] = {}
    for line in found.lines:
        if line.usd is not None:
            key = (line.type, line.name)
            sums[key] = sums.get(key, NONE) + line.usd
    return sums
