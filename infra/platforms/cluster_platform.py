"""What the platforms on Kubernetes share: how a service comes onto a cluster. What differs is in hooks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi
from slipway.infra.config.stack import ServiceConfig, StackConfig
from slipway.infra.platforms.base import Platform, Served
from slipway.infra.resources.artifact import ModelArtifact
from slipway.infra.resources.image import Nodes, Registry, ServiceImage, ServiceImageArgs
from slipway.infra.resources.stored_model import StoredModel, StoredModelArgs
from slipway.infra.workload.cluster import Cluster
from slipway.infra.workload.network import outside_of
from slipway.infra.workload.workload import Workload, WorkloadArgs


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The stack's own bucket. `models`: the address of its artifacts, as `s3://bucket/models`. `egress`: networks and
    ports that pods reach it by; `environment`: variables that they need for it. `ready`: what has to exist before an
    artifact is copied there."""

    models: pulumi.Input[str]
    egress: Sequence[tuple[str, int]]
    ready: Sequence[pulumi.Resource]
    environment: Mapping[str, str]


class ClusterPlatform(Platform):
    """Declares for each service its image, its copy in the bucket and its workload, and leads its name there.

    A platform sets `config`, `cluster` and, where it has one, `bucket`, and says what its hooks do."""

    config: StackConfig
    cluster: Cluster
    bucket: Bucket | None = None

    def identity(self, name: str) -> Sequence[pulumi.Resource]:
        """Declares whatever lets a service's pods reach the bucket; they start once it is there."""
        return ()

    @abstractmethod
    def registry(self, name: str) -> tuple[Registry | Nodes, Sequence[pulumi.Resource]]:
        """Where a service's image goes, and what has to exist before it is pushed."""

    def route(self, name: str, service: ServiceConfig, host: str, workload: Workload) -> pulumi.Output[str] | None:
        """Leads a public name to a service's pods and returns its URL; None where the platform has no edge."""
        return None

    def watch(self, name: str) -> None:
        """Declares what watches over a service."""

    def serve(self, name: str, service: ServiceConfig, artifact: ModelArtifact, access: pulumi.Output[str]) -> Served:
        bucket, granted = self.bucket, self.identity(name)
        stored = self._stored(name, artifact, bucket) if bucket else None
        fetched = bucket if service.modelFrom == "volume" else None
        workload = Workload(
            name,
            WorkloadArgs(
                service=service,
                image=self._image(name, service, artifact),
                arch=None if service.image else self.config.image.arch,
                artifact=artifact,
                access=access,
                # Pods that start before they are granted their identity never get it.
                cluster=replace(
                    self.cluster, ready=[*self.cluster.ready, *granted], client_namespaces=self._client_namespaces
                ),
                environment={**artifact.runtime.environment(service), **(fetched.environment if fetched else {})},
                egress=(*outside_of(self.config, service), *(fetched.egress if fetched else ())),
                stored=stored if fetched else None,
            ),
        )
        self.watch(name)
        url = self.route(name, service, service.host, workload) if service.host else None
        if url is None:  # what pods of the cluster reach it by
            place = (workload.service, ".", self.cluster.namespace, f".svc:{workload.port}")
            url = pulumi.Output.concat("http://", *place)
            callers = pulumi.Output.all(self.cluster.namespace, *self._client_namespaces).apply(
                lambda names: f"pods of the cluster in {', '.join(names)}; slipway asks through the cluster's API"
            )
            return Served(url=url, artifact=stored.uri if stored else None, callers=callers)
        return Served(url=url, artifact=stored.uri if stored else None)

    @property
    def _client_namespaces(self) -> Sequence[str]:
        return [*self.cluster.client_namespaces, *self.config.access.clientNamespaces]

    def _stored(self, name: str, artifact: ModelArtifact, bucket: Bucket) -> StoredModel:
        return StoredModel(
            name,
            StoredModelArgs(artifact=artifact, folder=pulumi.Output.concat(bucket.models, "/", name)),
            pulumi.ResourceOptions(depends_on=[*bucket.ready]),
        )

    def _image(self, name: str, service: ServiceConfig, artifact: ModelArtifact) -> pulumi.Input[str]:
        if service.image:
            return service.image
        registry, ready = self.registry(name)
        args = ServiceImageArgs(
            service=name,
            artifact=artifact,
            accelerator=service.accelerator,
            registry=registry,
            settings=self.config.image,
            with_model=service.modelFrom == "image",
        )
        return ServiceImage(name, args, pulumi.ResourceOptions(depends_on=[*ready])).ref
