"""The platform kubernetes: a workload for each service, on a cluster that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.before import kept_namespace
from slipway.infra.config.base import PROJECT
from slipway.infra.config.stack import ServiceConfig, StackConfig
from slipway.infra.platforms.cluster_platform import ClusterPlatform
from slipway.infra.platforms.kubernetes.config import KubernetesConfig, PlacementConfig
from slipway.infra.resources.image import Nodes, Registry
from slipway.infra.workload.cluster import IN_PLACE, Cluster, Placement
from slipway.infra.workload.names import namespace_of, stack_label
from slipway.infra.workload.namespace import KubernetesNamespace, KubernetesNamespaceArgs
from slipway.infra.workload.observability import Observability, ObservabilityArgs
from slipway.infra.workload.route import HttpRouteArgs, http_route
from slipway.infra.workload.workload import Workload


class KubernetesPlatform(ClusterPlatform):
    """Owns the namespace unless it is another's; leaves the cluster, its Gateway and its monitoring alone."""

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        own = self._own = config.of(KubernetesConfig)
        provider = k8s.Provider(
            "cluster",
            kubeconfig=own.file,
            context=own.context,
            **IN_PLACE,
            # Another kubeconfig is not another cluster: without this an edit of the file would replace all there is.
            cluster_identifier=own.cluster or own.context or "the cluster",
        )
        before = stack_label(PROJECT, pulumi.get_stack()).lower().replace("_", "-").replace(".", "-")
        space = kept_namespace(namespace_of(pulumi.get_project(), pulumi.get_stack()), before, own.namespace)
        args = KubernetesNamespaceArgs(namespace=space, create=own.createNamespace)
        namespace = KubernetesNamespace("space", args, pulumi.ResourceOptions(providers=[provider]))
        self.cluster = _cluster(own, provider, namespace)
        if own.monitoring:
            Observability("monitoring", ObservabilityArgs(cluster=self.cluster))

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[Any]]:
        return {"namespace": self.cluster.namespace}

    def registry(self, name: str) -> tuple[Registry | Nodes, Sequence[pulumi.Resource]]:
        if self._own.load:
            return Nodes(importer=self._own.load), ()
        assert self._own.registry, "the configuration was checked for it"
        return Registry(repository=self._own.registry), ()

    def route(self, name: str, service: ServiceConfig, host: str, workload: Workload) -> pulumi.Output[str] | None:
        gateway = self._own.gateway
        if gateway is None:
            return None
        args = HttpRouteArgs(
            service=workload.service,
            port=workload.port,
            paths=workload.runtime.api_paths,
            host=host,
            namespace=self.cluster.namespace,
            gateway=(gateway.name, gateway.namespace),
            section=gateway.section,
        )
        made = http_route(name, args, pulumi.ResourceOptions(parent=workload))
        return made.id.apply(lambda _: f"{gateway.scheme}://{host}")


def _cluster(own: KubernetesConfig, provider: k8s.Provider, namespace: KubernetesNamespace) -> Cluster:
    claim = {"persistentVolumeClaim": {"claimName": own.models, "readOnly": True}} if own.models else None
    return Cluster(
        provider=provider,
        namespace=namespace.namespace,
        placements={kind: [_placement(each) for each in own.places(kind)] for kind in ("none", "nvidia")},
        clients=own.clients,
        client_namespaces=[own.gateway.namespace] if own.gateway else [],
        egress=[(each.cidr, each.port) for each in own.egress],
        monitoring=own.monitoring,
        scrapers=[own.monitoringNamespace] if own.monitoring or own.prometheus else [],
        prometheus=own.prometheus,
        models=claim,
        loaded=own.load is not None,
        pull_secret=own.pullSecret,
        fixed_user=own.podUser == "fixed",
        ready=[namespace],
    )


def _placement(config: PlacementConfig) -> Placement:
    return Placement(
        selector=config.selector,
        tolerations=config.tolerations,
        resource=config.resource,
        runtime_class=config.runtimeClass,
        spot=config.spot,
    )
