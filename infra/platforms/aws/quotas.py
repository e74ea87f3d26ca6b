"""What an AWS stack takes of its account's quotas."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.infra.platforms.aws.config import AwsConfig
from slipway.infra.platforms.quota import Machine, Pool, Quota

# In vCPUs of running machines: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
ON_DEMAND, SPOT = False, True
CODES = {
    ("g", ON_DEMAND): "L-DB2E81BA", ("g", SPOT): "L-3819A6DF",
    ("p", ON_DEMAND): "L-417A185B", ("p", SPOT): "L-7212CCBC", ("p5", SPOT): "L-C4BD4855",
    ("", ON_DEMAND): "L-1216C47A", ("", SPOT): "L-34B43A08",
}  # fmt: skip
VPCS, ADDRESSES = "vpc/L-F678F1CE", "ec2/L-0263D0A3"


def pools(config: AwsConfig) -> list[Pool]:
    """The GPU pools, the preferred one first."""
    return [
        Pool(
            name=each.name,
            spot=each.capacity == "spot",
            machines=tuple(each.instances),
            zones=frozenset(config.network.zones),
            most=each.max,
            by_gpu=config.cluster.compute == "auto",
        )
        for each in config.cluster.gpu
    ]


def quotas(config: AwsConfig, machines: Mapping[str, Machine], is_new: bool) -> dict[str, Quota]:
    """By `service/code`, without what is given. Of a pool's machine types the one that takes the least counts.

    `is_new`: the stack's network is still to be made.
    """
    asked: dict[str, Quota] = {}
    for pool in pools(config):
        by_code: dict[str, list[Machine]] = {}
        for kind, machine in pool.types(machines).items():
            by_code.setdefault(_code(kind, pool.spot), []).append(machine)
        for code, found in by_code.items():
            before = asked.get(code, Quota(name=code, asked=0))
            least = min(machine.cpus * pool.nodes(machine) for machine in found)
            one = {**before.one, pool.name: float(min(machine.cpus for machine in found))}
            asked[code] = Quota(name=f"vCPUs of {', '.join(one)} ({code})", asked=before.asked + least, one=one)
    if config.cluster.compute == "managed" and not config.cluster.existing:
        sizes = [machines[each].cpus for each in config.cluster.cpu.instances if each in machines]
        if sizes:
            code = _code(config.cluster.cpu.instances[0], ON_DEMAND)
            asked[code] = Quota(name=f"vCPUs of nodes without GPUs ({code})", asked=min(sizes) * config.cluster.cpu.max)
    if config.network.vpc is None and is_new:
        asked[VPCS] = Quota(name="VPCs of the region, one more", asked=1)
        if addresses := _addresses(config):
            asked[ADDRESSES] = Quota(name=f"elastic addresses, {addresses} more", asked=addresses)
    return asked


def _addresses(config: AwsConfig) -> int:
    zones = len(config.network.zones) or 3
    return {"single": 1, "perZone": zones, "none": 0}.get(config.network.nat, 0)


def _code(kind: str, spot: bool) -> str:
    family = kind.partition(".")[0]
    group = "p5" if family.startswith("p5") and spot else family[0] if family[0] in "gp" else ""
    return f"ec2/{CODES[group, spot]}"
