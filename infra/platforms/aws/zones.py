"""Where the stack's subnets are: zones that have the GPUs first."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from slipway.infra.config.base import ConfigError
from slipway.infra.platforms.aws.config import AwsConfig, GpuPool

ZONES = 3


@dataclass(frozen=True, kw_only=True)
class Zones:
    """`all`: those of the subnets, in order of their names; `by_pool`: those of each GPU pool's nodes."""

    all: list[str]
    by_pool: dict[str, list[str]]


def choose_zones(config: AwsConfig, opts: pulumi.InvokeOptions) -> Zones:
    """Asks AWS where the pools' instance types are offered.

    Raises:
        ConfigError: a pool's instances are in none of the zones; before anything is made.
    """
    offered = {pool.name: _offering(pool, opts) for pool in config.cluster.gpu}
    chosen = config.network.zones or _preferred(offered, opts)
    by_pool = {name: [zone for zone in chosen if zone in zones] for name, zones in offered.items()}
    for pool in config.cluster.gpu:
        if not by_pool[pool.name]:
            elsewhere = ", ".join(sorted(offered[pool.name])) or "no zone of it"
            raise ConfigError(
                f"slipway:aws.cluster.gpu.{pool.name}.instances: {', '.join(pool.instances)} is not offered in "
                f"{', '.join(chosen)} of {config.region}, but in {elsewhere}: choose others, or set network.zones"
            )
    return Zones(all=sorted(chosen), by_pool=by_pool)


def _offering(pool: GpuPool, opts: pulumi.InvokeOptions) -> set[str]:
    wanted = [each if "." in each else f"{each}.*" for each in pool.instances]
    found = aws.ec2.get_instance_type_offerings(
        location_type="availability-zone", filters=[{"name": "instance-type", "values": wanted}], opts=opts
    )
    exact = {each for each in pool.instances if "." in each}
    families = {each for each in pool.instances if "." not in each}
    pairs = zip(found.instance_types, found.locations, strict=True)
    return {zone for kind, zone in pairs if kind in exact or kind.split(".")[0] in families}


def _preferred(offered: dict[str, set[str]], opts: pulumi.InvokeOptions) -> list[str]:
    zones = aws.get_availability_zones(
        state="available", filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}], opts=opts
    ).names
    most = sorted(zones, key=lambda zone: (-sum(zone in each for each in offered.values()), zone))
    return sorted(most[:ZONES])
