"""Where the stack's subnets are: zones that have the GPUs first, and in which EKS puts control planes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pulumi
import pulumi_aws as aws
from slipway.infra.config.base import ConfigError
from slipway.infra.platforms.aws.config import AwsConfig, GpuPool
from slipway.infra.resources.choices import Choices

ZONES = 3
# By id, as each account has other names: docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
NO_CONTROL_PLANE = ("use1-az3", "usw1-az2", "cac1-az3")


@dataclass(frozen=True, kw_only=True)
class Zones:
    """`all`: those of the subnets, in order of their names; `by_pool`: those of each GPU pool's nodes."""

    all: list[str]
    by_pool: dict[str, list[str]]


def choose_zones(config: AwsConfig, choices: Choices, opts: pulumi.InvokeOptions) -> Zones:
    """Asks AWS where the pools' instance types are offered. Once: the zones stay until `network.zones` changes,
    and those of a pool until its instances do, whatever AWS offers meanwhile.

    Raises:
        ConfigError: a pool's instances are in none of the zones, or EKS can't be in one; before anything is made.
    """
    pools, named = config.cluster.gpu, config.network.zones
    chosen: list[str] = choices.once(
        "zones", {"region": config.region, "named": named}, lambda: _checked(named, opts) or _preferred(pools, opts)
    )

    def having(pool: GpuPool) -> list[str]:
        offered = _offering(pool, opts)
        if found := [zone for zone in chosen if zone in offered]:
            return found
        raise ConfigError(
            f"slipway:aws.cluster.gpu.{pool.name}.instances: {', '.join(pool.instances)} is not offered in "
            f"{', '.join(chosen)} of {config.region}, but in {', '.join(sorted(offered)) or 'no zone of it'}: choose "
            "others, or set network.zones"
        )

    by_pool = {
        pool.name: choices.once(
            f"zones of {pool.name}", {"instances": pool.instances, "zones": chosen}, partial(having, pool)
        )
        for pool in pools
    }
    return Zones(all=chosen, by_pool=by_pool)


def _offering(pool: GpuPool, opts: pulumi.InvokeOptions) -> set[str]:
    wanted = [each if "." in each else f"{each}.*" for each in pool.instances]
    found = aws.ec2.get_instance_type_offerings(
        location_type="availability-zone", filters=[{"name": "instance-type", "values": wanted}], opts=opts
    )
    exact = {each for each in pool.instances if "." in each}
    families = {each for each in pool.instances if "." not in each}
    pairs = zip(found.instance_types, found.locations, strict=True)
    return {zone for kind, zone in pairs if kind in exact or kind.split(".")[0] in families}


def _checked(named: list[str], opts: pulumi.InvokeOptions) -> list[str]:
    if named:
        ids = _ids(opts)
        for zone in named:
            if ids.get(zone) in NO_CONTROL_PLANE:
                right = ", ".join(each for each, id_ in ids.items() if id_ not in NO_CONTROL_PLANE)
                raise ConfigError(
                    f"slipway:aws.network.zones: {zone} is {ids[zone]} in this account, where EKS puts no control "
                    f"plane: choose from {right}"
                )
    return sorted(named)


def _preferred(pools: list[GpuPool], opts: pulumi.InvokeOptions) -> list[str]:
    offered = [_offering(pool, opts) for pool in pools]
    zones = [zone for zone, id_ in _ids(opts).items() if id_ not in NO_CONTROL_PLANE]
    most = sorted(zones, key=lambda zone: (-sum(zone in each for each in offered), zone))
    return sorted(most[:ZONES])


def _ids(opts: pulumi.InvokeOptions) -> dict[str, str]:
    """The region's zones that nobody has to opt in to: their ids by the names that the account has for them."""
    found = aws.get_availability_zones(
        state="available", filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}], opts=opts
    )
    return dict(zip(found.names, found.zone_ids, strict=True))
