"""The Google Cloud platform: what a stack shares, and what each service adds to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_gcp as gcp
from slipway.infra.before import kept_namespace
from slipway.infra.config.stack import ServiceConfig, StackConfig
from slipway.infra.names import bounded, stack_name
from slipway.infra.platforms.cluster_platform import Bucket, ClusterPlatform
from slipway.infra.platforms.gcp.budget import Budget, BudgetArgs
from slipway.infra.platforms.gcp.ci import Ci, CiArgs
from slipway.infra.platforms.gcp.cluster import Gke, GkeArgs, GkeCluster, existing_cluster
from slipway.infra.platforms.gcp.config import GcpConfig
from slipway.infra.platforms.gcp.endpoint import GOOGLE, Edge, EdgeArgs, Route, RouteArgs
from slipway.infra.platforms.gcp.identity import IdentityArgs, ServiceIdentity
from slipway.infra.platforms.gcp.key import KeyArgs, StackKey
from slipway.infra.platforms.gcp.labels import labelled, stack_labels
from slipway.infra.platforms.gcp.network import Network, NetworkArgs, Subnet, existing_subnet
from slipway.infra.platforms.gcp.nodepools import NodePools, NodePoolsArgs, placements
from slipway.infra.platforms.gcp.observability import Watch, WatchArgs
from slipway.infra.platforms.gcp.permissions import IN_CLUSTER
from slipway.infra.platforms.gcp.project import Project, ProjectArgs
from slipway.infra.platforms.gcp.registry import ImageRegistry, RegistryArgs, registry_of
from slipway.infra.platforms.gcp.storage import Storage, StorageArgs
from slipway.infra.resources.image import Registry
from slipway.infra.workload.cluster import Cluster
from slipway.infra.workload.deployment import base_name
from slipway.infra.workload.names import NAMESPACE, namespace_of
from slipway.infra.workload.namespace import KubernetesNamespace, KubernetesNamespaceArgs
from slipway.infra.workload.observability import Observability, ObservabilityArgs
from slipway.infra.workload.viewers import viewers
from slipway.infra.workload.workload import Workload

# Where Google's collectors run: standard clusters, and Autopilot.
COLLECTORS = ("gmp-system", "gke-gmp-system")
# What Google wants of pods behind endpoint groups (cloud.google.com/kubernetes-engine: container-native load balancing)
GRACE = 60
# Of `maxRatePerEndpoint` of all pods: cloud.google.com/kubernetes-engine: traffic-based autoscaling
REQUESTS = "autoscaling.googleapis.com|gclb-capacity-fullness"
# What a bucket is asked with: GKE's metadata server, by both of its addresses, and storage.googleapis.com.
STORAGE = (("169.254.169.252/32", 988), ("169.254.169.254/32", 80), ("0.0.0.0/0", 443))


class GcpPlatform(ClusterPlatform):
    """Owns all that the stack has in one project and region, unless the VPC or the cluster was there before."""

    def __init__(self, config: StackConfig) -> None:
        self.config, self._gcp = config, config.of(GcpConfig)
        self._name, self._production = stack_name(), config.environment == "production"
        assert self._gcp.project and self._gcp.region, "the configuration was checked for it"
        self._project_id, self._region = self._gcp.project, self._gcp.region
        own = namespace_of(pulumi.get_project(), pulumi.get_stack())
        self._space = kept_namespace(own, NAMESPACE, self._gcp.cluster.namespace)
        pays: dict[str, Any] = (
            {"user_project_override": True, "billing_project": self._project_id} if self._gcp.budget.monthly else {}
        )
        provider = gcp.Provider(
            "gcp",
            project=self._project_id,
            region=self._region,
            default_labels={**self._gcp.labels, **stack_labels()},
            **pays,
        )
        self._opts = pulumi.ResourceOptions(provider=provider, transformations=[labelled])
        further = ("billingbudgets",) if self._gcp.budget.monthly else ()
        self._project = Project("project", ProjectArgs(project=self._project_id, further=further), self._opts)
        place: dict[str, Any] = {"name": self._name, "project": self._project.id, "region": self._region}
        kept = {**place, "production": self._production}
        key = KeyArgs(**kept, number=self._project.number, existing=self._gcp.key)
        self._key = StackKey("key", key, self._opts)
        self._storage = Storage(
            "storage", StorageArgs(**kept, project_id=self._project_id, key=self._key.id), self._opts
        )
        self._registry = ImageRegistry("registry", RegistryArgs(**kept, key=self._key.id), self._opts)
        self._subnet = self._network(place)
        self._gke = self._cluster(provider, kept)
        self._inside = pulumi.ResourceOptions(providers=[provider, self._gke.provider], transformations=[labelled])
        self.cluster = self._prepared()
        Observability("monitoring", ObservabilityArgs(cluster=self.cluster))
        self._edge = self._open(place) if any(service.host for service in config.services.values()) else None
        self._watch = self._watched()
        self._ci = self._trusted()
        self.bucket = Bucket(
            models=pulumi.Output.concat("gs://", self._storage.bucket, "/models"),
            egress=STORAGE,
            environment={},
            ready=[self._storage],
        )

    @property
    def proxies(self) -> Sequence[pulumi.Input[str]]:
        """Whose x-forwarded-for the services believe: the load balancer's, which names itself last."""
        return [*self.cluster.clients, pulumi.Output.concat(self._edge.address, "/32")] if self._edge else ()

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[Any]]:
        """What the stack exports besides its services."""
        found: dict[str, pulumi.Input[Any]] = {
            "clusterName": self._gke.name,
            "kubeconfig": self._gke.kubeconfig,
            "modelBucket": self._storage.bucket,
            "namespace": self._space,
        }
        if self._edge and not self._gcp.endpoint.zone:
            found["dnsRecords"] = self._edge.records
        if self._ci:
            found["ciProvider"] = self._ci.provider
        return found

    def identity(self, name: str) -> Sequence[pulumi.Resource]:
        args = IdentityArgs(
            pool=self._gke.pool,
            number=self._project.number,
            namespace=self._space,
            account_name=name,
            bucket=self._storage.bucket,
            prefix=f"models/{name}",
        )
        return [ServiceIdentity(name, args, self._opts)]

    def registry(self, name: str) -> tuple[Registry, Sequence[pulumi.Resource]]:
        return registry_of(self._project_id, self._region, self._name), [self._registry]

    def watch(self, name: str) -> None:
        base = self.config.services[name].scale.onDemand
        self._watch.unhealthy(name, [name, base_name(name)] if base else [name])

    def _network(self, place: dict[str, Any]) -> Subnet | None:
        if self._gcp.cluster.existing:
            return None
        if self._gcp.network.vpc:
            return existing_subnet(self._gcp.network.vpc)
        args = NetworkArgs(**place, config=self._gcp.network, internal=self._gcp.endpoint.internal)
        return Network("network", args, self._opts).subnet

    def _cluster(self, provider: gcp.Provider, kept: dict[str, Any]) -> Gke:
        config, location = self._gcp.cluster, self._gcp.location
        if config.existing or self._subnet is None:
            assert config.existing
            return existing_cluster(
                config.existing, location, self._project_id, pulumi.InvokeOutputOptions(provider=provider)
            )
        args = GkeArgs(
            **{**kept, "name": bounded(40, self._name)},
            project_id=self._project_id,
            location=location,
            config=config,
            subnet=self._subnet,
            images=self._registry.images,
            key=self._key.id,
        )
        return GkeCluster("cluster", args, self._opts).gke

    def _prepared(self) -> Cluster:
        """The cluster with nodes for what the services need, and the namespace that they share."""
        config, ready = self._gcp.cluster, list[pulumi.Resource]()
        if not config.existing and config.compute == "standard":
            nodes = NodePoolsArgs(
                project=self._project.id,
                gke=self._gke,
                cpu=config.cpu,
                pools=config.gpu,
                labels=self._gcp.labels,
                key=self._key.id,
            )
            ready += NodePools("nodes", nodes, self._opts).ready
        space = KubernetesNamespace(
            "space",
            KubernetesNamespaceArgs(namespace=self._space),
            pulumi.ResourceOptions.merge(self._inside, pulumi.ResourceOptions(depends_on=ready)),
        )
        proxies = [self._subnet.proxies] if self._subnet and self._subnet.proxies else []
        return Cluster(
            provider=self._gke.provider,
            namespace=space.namespace,
            placements=placements(self._gke, config.gpu),
            clients=[*proxies, *GOOGLE],
            monitoring="google",
            scrapers=COLLECTORS,
            requests_metric=REQUESTS,
            grace=GRACE,
            ready=[*ready, space],
        )

    def _open(self, place: dict[str, Any]) -> Edge:
        args = EdgeArgs(
            **place,
            config=self._gcp.endpoint,
            subnet=self._subnet,
            allow=self.config.access.allow,
            cluster=self._gke.provider,
            namespace=self.cluster.namespace,
        )
        return Edge("edge", args, self._inside)

    def _watched(self) -> Watch:
        args = WatchArgs(
            name=self._name,
            project_id=self._project_id,
            project=self._project.id,
            config=self._gcp.observability,
            cluster=self._gke.name,
            namespace=self._space,
        )
        watch = Watch("watch", args, self._opts)
        budget = self._gcp.budget
        if budget.monthly and budget.billingAccount:
            limit = BudgetArgs(
                name=self._name,
                number=self._project.number,
                billing_account=budget.billingAccount,
                monthly=budget.monthly,
                currency=budget.currency,
                channels=watch.channels,
            )
            Budget("budget", limit, self._opts)
        return watch

    def _trusted(self) -> Ci | None:
        config = self._gcp.ci
        if not config.repository:
            return None
        args = CiArgs(
            name=self._name,
            project=self._project.id,
            number=self._project.number,
            repository=config.repository,
            repository_id=config.repositoryId or "",
            preview=config.preview,
            deploy=config.deploy,
        )
        ci = Ci("ci", args, self._opts)
        subject = {"kind": "User", "name": ci.previewer}
        viewers(
            "viewers",
            subject,
            IN_CLUSTER,
            pulumi.ResourceOptions(parent=ci, provider=self._gke.provider, depends_on=[*self.cluster.ready]),
        )
        return ci

    def route(self, name: str, service: ServiceConfig, host: str, workload: Workload) -> pulumi.Output[str] | None:
        assert self._edge
        args = RouteArgs(
            service=workload.service,
            runtime=workload.runtime,
            port=workload.port,
            host=host,
            edge=self._edge,
            config=self._gcp.endpoint,
            drain=service.rollout.drainSeconds,
            rate=service.scale.target if service.scale.on == "requests" else None,
        )
        route = Route(name, args, self._inside)
        # Google's probes come from addresses that no list of callers has.
        if not self._gcp.endpoint.internal and not self.config.access.allow:
            self._watch.from_outside(name, host)
        return route.route.id.apply(lambda _: f"https://{host}")
