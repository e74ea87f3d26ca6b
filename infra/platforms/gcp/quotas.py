"""What a stack on Google Cloud takes of its project's quotas."""

from __future__ import annotations

from slipway.infra.platforms.gcp.config import GPUS, GcpConfig
from slipway.infra.platforms.quota import Pool, Quota

# What quotas call the GPUs of machines: cloud.google.com/compute/resource-usage#gpu_quota
METRICS = {
    "nvidia-l4": "NVIDIA_L4_GPUS",
    "nvidia-tesla-a100": "NVIDIA_A100_GPUS",
    "nvidia-a100-80gb": "NVIDIA_A100_80GB_GPUS",
    "nvidia-h100-80gb": "NVIDIA_H100_GPUS",
}
EVERYWHERE = "GPUS_ALL_REGIONS"  # of the project; it counts GPUs on demand


def pools(config: GcpConfig) -> list[Pool]:
    """The GPU pools, the preferred one first."""
    return [
        Pool(
            name=each.name,
            spot=each.capacity == "spot",
            machines=(each.machine,),
            zones=frozenset(each.zones),
            most=each.max,
        )
        for each in config.cluster.gpu
    ]


def quotas(config: GcpConfig) -> dict[str, Quota]:
    """By metric, without what is given."""
    asked: dict[str, Quota] = {}
    for pool in config.cluster.gpu:
        each = GPUS[pool.machine][1]
        spot = pool.capacity == "spot"
        names = [f"PREEMPTIBLE_{METRICS[pool.gpu]}"] if spot else [METRICS[pool.gpu], EVERYWHERE]
        for name in names:
            before = asked.get(name, Quota(name=name, asked=0))
            one = {**before.one, pool.name: float(each)}
            asked[name] = Quota(name=name, asked=before.asked + each * pool.max, one=one)
    if config.cluster.compute == "standard" and not config.cluster.existing:
        family, _, cpus = config.cluster.cpu.machine.rpartition("-")
        # E2 and N1 share the quota without a family's name: cloud.google.com/compute/resource-usage#cpu_quota
        name = "CPUS" if family[:2] in ("e2", "n1") else f"{family.partition('-')[0].upper()}_CPUS"
        asked[name] = Quota(name=name, asked=int(cpus) * config.cluster.cpu.max)
    return asked
