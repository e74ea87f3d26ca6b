"""Nodes of a standard cluster, and how pods get onto them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
from slipway.infra.platforms.gcp.cluster import SCOPES, Gke
from slipway.infra.platforms.gcp.config import GPUS, CpuNodes, GpuPool
from slipway.infra.platforms.gcp.labels import all_labels
from slipway.infra.workload.cluster import Placement
from slipway.infra.workload.names import labels

POOL = "slipway.dev/pool"
RESOURCE = "nvidia.com/gpu"
ZONES = 3  # of a region, as most have
# GKE sets the taint by itself only where another pool is there already, so pools declare it. It also adds the
# toleration; a pod that says it needs no admission webhook for that.
TAINT = {"key": RESOURCE, "value": "present", "effect": "NO_SCHEDULE"}
TOLERATION = {"key": RESOURCE, "operator": "Exists", "effect": "NoSchedule"}
# What pods wish for orders the nodes that are there; which pool grows is a ComputeClass's to say.
CLASS, CLASS_NAME = "cloud.google.com/compute-class", "slipway-gpu"


@dataclass(frozen=True, kw_only=True)
class NodePoolsArgs:
    """`labels`: on everything. `key`: encrypts the disks."""

    project: pulumi.Input[str]
    gke: Gke
    cpu: CpuNodes
    pools: Sequence[GpuPool]
    labels: dict[str, str]
    key: pulumi.Input[str]


class NodePools(pulumi.ComponentResource):
    """Owns one pool of nodes without GPUs and one per GPU pool, which starts empty and grows as pods ask; of several
    the order in which they grow. Output: `ready`."""

    def __init__(self, name: str, args: NodePoolsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:NodePools", name, None, opts)
        self._args = args
        cpu = self._pool(
            "cpu",
            args.cpu.machine,
            args.cpu.diskGb,
            {"total_min_node_count": args.cpu.min, "total_max_node_count": args.cpu.max},
            {"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            first=ceil(args.cpu.min / (1 if args.gke.location.count("-") == 2 else ZONES)),
        )
        # What the cluster itself runs has to find nodes without GPUs first.
        made = [self._gpu_pool(pool, cpu) for pool in args.pools]
        self.ready: list[pulumi.Resource] = [cpu, *made, *self._order(made)]
        self.register_outputs({})

    def _order(self, made: Sequence[gcp.container.NodePool]) -> list[pulumi.Resource]:
        if not _ordered(self._args.pools):
            return []
        order = kubernetes.apiextensions.CustomResource(
            "order",
            api_version="cloud.google.com/v1",
            kind="ComputeClass",
            metadata={"name": CLASS_NAME, "labels": labels("order")},
            spec={
                "priorities": [{"nodepools": [pool.name]} for pool in made],
                "nodePoolAutoCreation": {"enabled": False},
                "whenUnsatisfiable": "DoNotScaleUp",
            },
            opts=pulumi.ResourceOptions(parent=self, provider=self._args.gke.provider),
        )
        return [order]

    def _gpu_pool(self, pool: GpuPool, cpu: pulumi.Resource) -> gcp.container.NodePool:
        kind, count = GPUS[pool.machine]
        accelerator: dict[str, Any] = {
            "type": kind,
            "count": count,
            "gpu_driver_installation_config": {"gpu_driver_version": pool.driver.upper()},
        }
        if pool.sharing != "none":
            accelerator["gpu_sharing_config"] = {
                "gpu_sharing_strategy": "TIME_SHARING",
                "max_shared_clients_per_gpu": pool.sharers,
            }
        spot = pool.capacity == "spot"
        sizes = {
            "total_min_node_count": pool.min,
            "total_max_node_count": pool.max,
            "location_policy": "ANY" if spot else "BALANCED",
        }
        # A spare GPU to start the new node beside the old one is often not to be had.
        upgrade = {"strategy": "SURGE", "max_surge": 0, "max_unavailable": 1}
        return self._pool(
            pool.name,
            pool.machine,
            pool.diskGb,
            sizes,
            upgrade,
            pool.zones,
            first=ceil(pool.min / len(pool.zones)),
            needs=[cpu],
            taints=[TAINT],
            ordered=_ordered(self._args.pools),
            guest_accelerators=[accelerator],
            spot=spot,
        )

    def _pool(
        self,
        name: str,
        machine: str,
        disk: int,
        sizes: Any,
        upgrade: Any,
        zones: Sequence[str] | None = None,
        *,
        first: int,
        needs: Sequence[pulumi.Resource] = (),
        taints: Sequence[dict[str, str]] = (),
        ordered: bool = False,
        **more: Any,
    ) -> gcp.container.NodePool:
        """`first`: nodes in each zone to begin with. `more`: what can't be changed in place."""
        args = self._args
        order = [{"key": CLASS, "value": CLASS_NAME, "effect": "NO_SCHEDULE"}] if ordered else []
        nodes: Any = {
            "machine_type": machine,
            "disk_size_gb": disk,
            "image_type": "COS_CONTAINERD",
            "service_account": args.gke.nodes,
            "oauth_scopes": list(SCOPES),
            "boot_disk_kms_key": args.key,
            "gcfs_config": {"enabled": True},
            "gvnic": {"enabled": True},
            "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
            "workload_metadata_config": {"mode": "GKE_METADATA"},
            "metadata": {"disable-legacy-endpoints": "true"},
            "labels": {POOL: name, **({CLASS: CLASS_NAME} if ordered else {})},
            "resource_labels": {**args.labels, **all_labels(f"{name}-nodes")},
            **more,
        }
        if taints:
            nodes["taints"] = [*taints, *order]
        return gcp.container.NodePool(
            f"{name}-nodes",
            name=_physical(name, more),
            project=args.project,
            cluster=args.gke.name,
            location=args.gke.location,
            node_locations=zones,
            initial_node_count=first,
            autoscaling=sizes,
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings=upgrade,
            node_config=nodes,
            # The autoscaler's from then on; another number would make a new pool.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*needs], ignore_changes=["initialNodeCount"]),
        )


def placements(gke: Gke, pools: Sequence[GpuPool]) -> dict[str, list[Placement]]:
    """Where pods go, by accelerator. Pods find a pool by a label of ours, so that another pool in its place moves none
    of them before it is there."""
    if gke.nodes is None:
        return {"none": [Placement()], "nvidia": [Placement(tolerations=[TOLERATION], resource=RESOURCE)]}
    if gke.autopilot:
        return {"none": [Placement()], "nvidia": [_asked_of_autopilot(pool) for pool in pools]}
    order = {CLASS: CLASS_NAME} if _ordered(pools) else {}
    gpu = [_placement(pool, {POOL: pool.name, **order}) for pool in pools]
    return {"none": [Placement(selector={POOL: "cpu"})], "nvidia": gpu}


def _asked_of_autopilot(pool: GpuPool) -> Placement:
    selector = {"cloud.google.com/gke-accelerator": pool.gpu}
    if pool.capacity == "spot":
        selector["cloud.google.com/gke-spot"] = "true"
    return _placement(pool, selector)


def _placement(pool: GpuPool, selector: dict[str, str]) -> Placement:
    order = [{"key": CLASS, "operator": "Exists", "effect": "NoSchedule"}] if CLASS in selector else []
    return Placement(
        selector=selector, tolerations=[TOLERATION, *order], resource=RESOURCE, spot=pool.capacity == "spot"
    )


def _ordered(pools: Sequence[GpuPool]) -> bool:
    return len(pools) > 1


def _physical(name: str, unchangeable: dict[str, Any]) -> str:
    """What can't be changed in place is in the name, so that the new pool is there before the old one is drained."""
    if not unchangeable:
        return name
    return f"{name}-{hashlib.sha256(repr(sorted(unchangeable.items())).encode()).hexdigest()[:6]}"
