"""What changes the number of pods: a HorizontalPodAutoscaler on CPU or on requests a second, or KEDA's ScaledObject on
requests in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.workload.deployment import Part
from slipway.infra.workload.names import Manifest, metadata

if TYPE_CHECKING:
    from slipway.infra.workload.workload import WorkloadArgs


FULL = 70  # percent of a pod's requests a second at which another one is wanted


def autoscaler(service: str, part: Part, args: WorkloadArgs, opts: pulumi.ResourceOptions) -> None:
    """Declares the one that the configuration names; none where the number is fixed."""
    if part.most == part.least:
        return
    about = metadata(part.name, args.cluster.namespace, service)
    if args.service.scale.on != "inflight":
        k8s.autoscaling.v2.HorizontalPodAutoscaler(part.name, metadata=about, spec=_hpa(service, part, args), opts=opts)
        return
    k8s.apiextensions.CustomResource(
        part.name,
        api_version="keda.sh/v1alpha1",
        kind="ScaledObject",
        metadata=about,
        spec=pulumi.Output.from_input(args.cluster.namespace).apply(lambda known: _keda(service, part, args, known)),
        opts=opts,
    )


def _hpa(service: str, part: Part, args: WorkloadArgs) -> Manifest:
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": part.name},
        "minReplicas": part.least,
        "maxReplicas": part.most,
        "metrics": [_requests(service, args) if args.service.scale.on == "requests" else _cpu(args)],
        "behavior": _behavior(args),
    }


def _cpu(args: WorkloadArgs) -> Manifest:
    wanted = {"type": "Utilization", "averageUtilization": args.service.scale.aim}
    return {"type": "Resource", "resource": {"name": "cpu", "target": wanted}}


def _requests(service: str, args: WorkloadArgs) -> Manifest:
    """Of what all pods together can take, as the load balancer is told of one."""
    counted = {"apiVersion": "v1", "kind": "Service", "name": service}
    wanted = {"type": "AverageValue", "averageValue": str(FULL)}
    metric = {"name": args.cluster.requests_metric}
    return {"type": "Object", "object": {"describedObject": counted, "metric": metric, "target": wanted}}


def _keda(service: str, part: Part, args: WorkloadArgs, namespace: str) -> Manifest:
    scale = args.service.scale
    # Waiting and running: a process counts a request from its first byte to its answer.
    triggers = [_trigger(args, args.artifact.runtime.requests_in_flight(namespace, service), str(scale.aim))]
    if scale.wake:
        woken = _trigger(args, scale.wake, "1000000")  # it wakes the first pod; how many more is not its to say
        woken["metadata"]["activationThreshold"] = "0"
        triggers.append(woken)
    return {
        "scaleTargetRef": {"name": part.name},
        "minReplicaCount": part.least,
        "maxReplicaCount": part.most,
        "cooldownPeriod": scale.downSeconds,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(args)}},
        "triggers": triggers,
    }


def _trigger(args: WorkloadArgs, query: str, threshold: str) -> Manifest:
    assert args.cluster.prometheus, "the configuration was checked for it"
    where = {"serverAddress": args.cluster.prometheus, "query": query, "threshold": threshold}
    return {"type": "prometheus", "metadata": where}


def _behavior(args: WorkloadArgs) -> Manifest:
    """Up at once and by as much as there is; down one at a time, and only after what is less has lasted."""
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 15},
                {"type": "Pods", "value": 4, "periodSeconds": 15},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": args.service.scale.downSeconds,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
        },
    }
