"""The table of platforms: the only place that knows their names. What differs between them is in their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from slipway.infra.cost.needs import Billing, Pricing
from slipway.infra.platforms.aws.row import AWS
from slipway.infra.platforms.docker.row import DOCKER
from slipway.infra.platforms.gcp.row import GCP
from slipway.infra.platforms.kubernetes.row import KUBERNETES
from slipway.infra.platforms.local.row import LOCAL
from slipway.infra.platforms.row import Cloud, PlatformRow

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

# The first one is the default.
PLATFORMS: Mapping[str, PlatformRow] = {row.name: row for row in (LOCAL, DOCKER, KUBERNETES, AWS, GCP)}


def row_of(config: StackConfig) -> PlatformRow:
    """The row of the platform that the stack names."""
    return PLATFORMS[config.platform]


def clouds() -> Iterator[Cloud]:
    """Each cloud once: several platforms may run on one."""
    yield from {row.cloud.package: row.cloud for row in PLATFORMS.values() if row.cloud}.values()


def billing() -> Billing:
    """How all clouds bill; a stack may have resources of several."""
    rules = [cloud.billing for cloud in clouds()]
    return Billing(
        billed={kind: rule for each in rules for kind, rule in each.billed.items()},
        free=frozenset().union(*(each.free for each in rules)),
    )


def pricing(config: StackConfig) -> Pricing:
    """What a stack's price depends on besides its resources."""
    own = row_of(config).cloud
    regions = {cloud.package: cloud.region(config) or "" for cloud in clouds()}
    return Pricing(billing=billing(), regions=regions, cloud=own.package if own else "")
