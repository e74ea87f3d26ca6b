"""The Deployments: one, or a base that stays off spot nodes and the rest that prefers them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.workload.cluster import Placement
from slipway.infra.workload.names import PART, Manifest, metadata, selector
from slipway.infra.workload.pod import template

if TYPE_CHECKING:
    from slipway.infra.workload.workload import WorkloadArgs

FORCE, TIMEOUT = "pulumi.com/patchForce", "pulumi.com/timeoutSeconds"
REPORT = 10  # seconds: the plugin waits on when a rollout's deadline is over, and has to hear of it before it gives up


@dataclass(frozen=True, kw_only=True)
class Part:
    """Pods of a service that are placed and counted together. `most` above `least`: an autoscaler counts them."""

    name: str
    part: str
    least: int
    most: int
    placements: tuple[Placement, ...]


def parts(service: str, args: WorkloadArgs) -> Iterator[Part]:
    """What the service is made of: all pods alike, or `scale.onDemand` of them apart from the others."""
    scale, placements = args.service.scale, tuple(args.cluster.placements[args.service.accelerator])
    base = scale.onDemand or 0
    if base:
        steady = tuple(each for each in placements if not each.spot)
        yield Part(name=base_name(service), part="base", least=base, most=base, placements=steady)
    preferred = tuple(sorted(placements, key=lambda each: not each.spot)) if base else placements
    yield Part(name=service, part="main", least=scale.min - base, most=scale.most - base, placements=preferred)


def base_name(service: str) -> str:
    """Of the Deployment that stays off spot nodes, where `scale.onDemand` asks for one."""
    return f"{service}-base"


def deployment(service: str, part: Part, args: WorkloadArgs, opts: pulumi.ResourceOptions) -> k8s.apps.v1.Deployment:
    """One part's Deployment. The autoscaler owns the number of its pods, once it is there."""
    rollout = args.service.rollout
    counted = part.most > part.least
    spec: Manifest = {
        "replicas": part.least,
        "selector": {"matchLabels": {**selector(service), PART: part.part}},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": rollout.surge, "maxUnavailable": rollout.unavailable},
        },
        "progressDeadlineSeconds": rollout.deadlineSeconds,
        "revisionHistoryLimit": 5,
        "template": template(service, args, part.placements, part.part),
    }
    notes = {FORCE: "true", TIMEOUT: str(rollout.deadlineSeconds + REPORT)}
    return k8s.apps.v1.Deployment(
        part.name,
        metadata=metadata(part.name, args.cluster.namespace, service, notes),
        spec=spec,
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(ignore_changes=["spec.replicas"] if counted else None)
        ),
    )
