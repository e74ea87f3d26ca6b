"""The platform kubernetes: a workload for each service, on a cluster that is there."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

from infra.artifact import ModelArtifact
from infra.config import ServiceConfig, StackConfig
from infra.environment import service_environment
from infra.image import ServiceImage, ServiceImageArgs
from infra.platforms.base import Platform, Served
from infra.platforms.kubernetes.config import KubernetesConfig, PlacementConfig
from infra.spec import Cluster, Placement, Registry
from infra.workload.names import stack_label
from infra.workload.namespace import Space, SpaceArgs
from infra.workload.network import outside_of
from infra.workload.observability import Observability, ObservabilityArgs
from infra.workload.route import RouteArgs, route
from infra.workload.workload import Workload, WorkloadArgs


class KubernetesPlatform(Platform):
    """Owns the namespace unless it is another's; leaves the cluster, its Gateway and its monitoring alone."""

    def __init__(self, config: StackConfig) -> None:
        own = self._own = config.kubernetes
        self._config = config
        provider = k8s.Provider(
            "cluster",
            kubeconfig=str(Path(own.kubeconfig).expanduser()) if own.kubeconfig else None,
            context=own.context,
            # Another kubeconfig is not another cluster: without this an edit of the file would replace all there is.
            cluster_identifier=own.cluster or own.context or "the cluster",
        )
        provided = pulumi.ResourceOptions(providers=[provider])
        space = Space(
            "space", SpaceArgs(namespace=namespace_of(own, pulumi.get_stack()), create=own.createNamespace), provided
        )
        self._cluster = _cluster(own, provider, space)
        if own.monitoring:
            Observability("monitoring", ObservabilityArgs(cluster=self._cluster))

    def serve(self, name: str, service: ServiceConfig, artifact: ModelArtifact, access: pulumi.Output[str]) -> Served:
        cluster, gateway = self._cluster, self._own.gateway
        workload = Workload(
            name,
            WorkloadArgs(
                service=service,
                image=self._image(name, service, artifact),
                artifact=artifact,
                access=access,
                cluster=cluster,
                environment=service_environment(service),
                egress=outside_of(self._config, service),
            ),
        )
        if not (service.host and gateway):
            inside = pulumi.Output.concat("http://", workload.service, ".", cluster.namespace, f".svc:{workload.port}")
            return Served(url=inside)
        to = RouteArgs(
            service=workload.service,
            port=workload.port,
            host=service.host,
            namespace=cluster.namespace,
            gateway=(gateway.name, gateway.namespace),
            section=gateway.section,
        )
        made = route(name, to, pulumi.ResourceOptions(parent=workload))
        return Served(url=made.id.apply(lambda _: f"{gateway.scheme}://{service.host}"))

    def _image(self, name: str, service: ServiceConfig, artifact: ModelArtifact) -> pulumi.Input[str]:
        if service.image:
            return service.image
        assert self._own.registry, "the configuration was checked for it"
        args = ServiceImageArgs(
            service=name,
            artifact=artifact,
            accelerator=service.accelerator,
            registry=Registry(repository=self._own.registry),
            settings=self._config.image,
            with_model=service.modelFrom == "image",
        )
        return ServiceImage(name, args).ref


def namespace_of(own: KubernetesConfig, stack: str) -> str:
    """The stack's namespace: as configured, else one of its own."""
    return own.namespace or stack_label("slipway", stack).lower().replace("_", "-").replace(".", "-")


def _cluster(own: KubernetesConfig, provider: k8s.Provider, space: Space) -> Cluster:
    claim = {"persistentVolumeClaim": {"claimName": own.models, "readOnly": True}} if own.models else None
    return Cluster(
        provider=provider,
        namespace=space.namespace,
        placements={kind: [_placement(each) for each in own.places(kind)] for kind in ("none", "nvidia")},
        clients=own.clients,
        client_namespaces=[own.gateway.namespace] if own.gateway else [],
        egress=[(each.cidr, each.port) for each in own.egress],
        monitoring=own.monitoring,
        scrapers=[own.monitoringNamespace] if own.monitoring or own.prometheus else [],
        prometheus=own.prometheus,
        models=claim,
        ready=[space],
    )


def _placement(config: PlacementConfig) -> Placement:
    return Placement(
        selector=config.selector,
        tolerations=config.tolerations,
        resource=config.resource,
        runtime_class=config.runtimeClass,
        spot=config.spot,
    )
