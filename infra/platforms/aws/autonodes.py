"""Nodes of a cluster in Auto Mode: EKS makes them when a pod needs one; the program says of what kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from slipway.infra.platforms.aws.cluster import Eks
from slipway.infra.platforms.aws.config import GpuPool
from slipway.infra.platforms.aws.network import Subnets

ACCELERATOR, POOL = "slipway/accelerator", "slipway/pool"
GPU = "nvidia.com/gpu"
# What Auto Mode does not bring by itself.
AUTO_ADDONS = ("metrics-server",)
IDLE = "10m"
# A node is made anew after two weeks, for its image's fixes, and gives pods an hour to go.
OLDEST, DRAIN = "336h", "1h"


@dataclass(frozen=True, kw_only=True)
class AutoNodesArgs:
    """`addons`: their versions. `zones`: of each pool's nodes, by its name. `labels`: of every object."""

    eks: Eks
    addons: Mapping[str, str]
    pools: Sequence[GpuPool]
    zones: dict[str, list[str]]
    subnets: Subnets
    labels: dict[str, str]


class AutoNodes(pulumi.ComponentResource):
    """Owns a node class and a node pool per GPU pool, and turns network policies on. Nodes without GPUs are EKS's own
    pool's. The first pool that can give a node does. Output: `ready`."""

    def __init__(self, name: str, args: AutoNodesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:AutoNodes", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        self.ready: list[pulumi.Resource] = [
            # Without it policies are taken and silently not kept.
            kubernetes.core.v1.ConfigMap(
                "network-policies",
                metadata={"name": "amazon-vpc-cni", "namespace": "kube-system", "labels": args.labels},
                data={"enable-network-policy-controller": "true"},
                opts=own,
            ),
            *(
                aws.eks.Addon(
                    addon, cluster_name=args.eks.name, addon_name=addon, addon_version=args.addons[addon],
                    resolve_conflicts_on_create="OVERWRITE", resolve_conflicts_on_update="OVERWRITE",
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[args.eks.provider]),
                )
                for addon in AUTO_ADDONS
            ),
        ]  # fmt: skip
        for rank, pool in enumerate(args.pools):
            node_class = CustomResource(
                pool.name,
                api_version="eks.amazonaws.com/v1",
                kind="NodeClass",
                metadata={"name": f"gpu-{pool.name}", "labels": args.labels},
                spec=_node_class(args, pool),
                opts=own,
            )
            self.ready.append(
                CustomResource(
                    pool.name,
                    api_version="karpenter.sh/v1",
                    kind="NodePool",
                    metadata={"name": f"gpu-{pool.name}", "labels": args.labels},
                    spec=_node_pool(args, pool, weight=100 - rank),
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[node_class]),
                )
            )
        self.register_outputs({})


def _node_class(args: AutoNodesArgs, pool: GpuPool) -> dict[str, Any]:
    assert args.eks.node_role is not None
    return {
        "role": args.eks.node_role.name,
        "subnetSelectorTerms": [{"id": id_} for id_ in args.subnets.private_in(args.zones.get(pool.name))],
        "securityGroupSelectorTerms": [{"id": args.eks.security_group}],
        "ephemeralStorage": {"size": f"{pool.diskGb}Gi"},
        "networkPolicy": "DefaultAllow",
        "networkPolicyEventLogs": "Disabled",
    }


def _node_pool(args: AutoNodesArgs, pool: GpuPool, weight: int) -> dict[str, Any]:
    exact = [each for each in pool.instances if "." in each]
    families = [each for each in pool.instances if "." not in each]
    requirements = [_one_of("karpenter.sh/capacity-type", [pool.capacity])]
    if families:
        # A type beside families narrows nothing: its family is in as well.
        wanted = [*families, *(each.split(".")[0] for each in exact)]
        requirements.append(_one_of("eks.amazonaws.com/instance-family", sorted({*wanted})))
    else:
        requirements.append(_one_of("node.kubernetes.io/instance-type", exact))
    if zones := args.zones.get(pool.name):
        requirements.append(_one_of("topology.kubernetes.io/zone", zones))
    return {
        "weight": weight,
        "limits": {GPU: str(pool.max)},
        "disruption": {
            "consolidationPolicy": "WhenEmptyOrUnderutilized",
            "consolidateAfter": IDLE,
            "budgets": [{"nodes": "1"}],
        },
        "template": {
            "metadata": {"labels": {ACCELERATOR: "nvidia", POOL: pool.name}},
            "spec": {
                "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": f"gpu-{pool.name}"},
                "requirements": requirements,
                "taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}],
                "expireAfter": OLDEST,
                "terminationGracePeriod": DRAIN,
            },
        },
    }


def _one_of(key: str, values: list[str]) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": values}
