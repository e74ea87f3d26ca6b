"""How many pods a drain may take at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.workload.names import Manifest, metadata, selector

if TYPE_CHECKING:
    from slipway.infra.workload.workload import WorkloadArgs


def disruption_budget(service: str, args: WorkloadArgs, opts: pulumi.ResourceOptions) -> None:
    """One at a time, or so many that `scale.keep` stay. A service of one pod has none: a drain could never go on."""
    scale = args.service.scale
    if scale.min < 2:
        return
    # Pods that are broken anyway must not keep a node from being emptied.
    spec: Manifest = {
        **({"minAvailable": scale.keep} if scale.keep else {"maxUnavailable": 1}),
        "selector": {"matchLabels": selector(service)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    about = metadata(service, args.cluster.namespace, service)
    k8s.policy.v1.PodDisruptionBudget(service, metadata=about, spec=spec, opts=opts)
