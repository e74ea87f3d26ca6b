"""The AWS platform: what a stack shares, and what each service adds to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from slipway.infra.before import kept_namespace
from slipway.infra.config.stack import ServiceConfig, StackConfig
from slipway.infra.names import STACK_TAG, stack_label, stack_name
from slipway.infra.platforms.aws import firewall, storage
from slipway.infra.platforms.aws.autonodes import AUTO_ADDONS, GPU, POOL, AutoNodes, AutoNodesArgs
from slipway.infra.platforms.aws.boundary import boundary_of, bounded_by
from slipway.infra.platforms.aws.budget import Budget, BudgetArgs
from slipway.infra.platforms.aws.cluster import VIEWERS, Eks, EksArgs, EksCluster, existing_cluster
from slipway.infra.platforms.aws.config import AwsConfig, Days
from slipway.infra.platforms.aws.endpoint import Edge, EdgeArgs, Route, RouteArgs, priority_of
from slipway.infra.platforms.aws.identity import IdentityArgs, ServiceIdentity
from slipway.infra.platforms.aws.key import KeyArgs, StackKey
from slipway.infra.platforms.aws.network import Network, NetworkArgs, Subnets, existing_subnets
from slipway.infra.platforms.aws.nodegroups import ADDONS, NodeGroups, NodeGroupsArgs
from slipway.infra.platforms.aws.observability import Watch, WatchArgs
from slipway.infra.platforms.aws.policies import tagged
from slipway.infra.platforms.aws.registry import ImageRepository, RepositoryArgs, registry_of
from slipway.infra.platforms.aws.storage import Storage, StorageArgs
from slipway.infra.platforms.aws.versions import choose_addons, choose_version
from slipway.infra.platforms.aws.zones import Zones, choose_zones
from slipway.infra.platforms.cluster_platform import Bucket, ClusterPlatform
from slipway.infra.resources.choices import Choices
from slipway.infra.resources.image import Registry
from slipway.infra.runtime import METRICS_PORT
from slipway.infra.workload.cluster import Cluster, Placement
from slipway.infra.workload.names import NAMESPACE, labels, namespace_of
from slipway.infra.workload.namespace import KubernetesNamespace, KubernetesNamespaceArgs
from slipway.infra.workload.viewers import viewers
from slipway.infra.workload.workload import Workload

# Where EKS Pod Identity gives pods their credentials.
IDENTITY_AGENT = ("169.254.170.23/32", 80)
# What a bucket is asked by; S3's own addresses are no network of a policy's.
STORAGE = (("0.0.0.0/0", 443),)
# What a stack has in a cluster of its own besides Kubernetes' kinds, for `cluster.viewers`.
VIEWED = {
    "eks.amazonaws.com": ("nodeclasses", "targetgroupbindings"),
    "elbv2.k8s.aws": ("targetgroupbindings",),
    "karpenter.sh": ("nodepools",),
}
TOLERATION = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}


class AwsPlatform(ClusterPlatform):
    """Owns all that the stack has in one account and region, unless the VPC or the cluster was there before."""

    def __init__(self, config: StackConfig) -> None:
        self.config, self._aws = config, config.of(AwsConfig)
        self._name, self._production = stack_name(), config.environment == "production"
        assert self._aws.region and self._aws.account, "the configuration was checked for it"
        self._region, self._account = self._aws.region, self._aws.account
        own = namespace_of(pulumi.get_project(), pulumi.get_stack())
        self._space = kept_namespace(own, NAMESPACE, self._aws.cluster.namespace)
        provider = aws.Provider(
            "aws",
            region=self._region,
            allowed_account_ids=[self._account],
            default_tags={"tags": {**self._aws.tags, STACK_TAG: stack_label()}},
        )
        boundary = boundary_of(self._aws, self._account, self._name)
        transformations: list[pulumi.ResourceTransformation] = [tagged, bounded_by(boundary)]
        self._opts = pulumi.ResourceOptions(provider=provider, transformations=transformations)
        invoke = pulumi.InvokeOptions(provider=provider)
        new = not self._aws.network.vpc
        choices = Choices()
        zones = choose_zones(self._aws, choices, invoke) if new else Zones(all=[], by_pool={})
        self._version, self._addons = self._versions(choices, invoke)
        choices.keep()
        place = {"name": self._name, "region": self._region, "account": self._account}
        self._key = StackKey("key", KeyArgs(**place, production=self._production), self._opts)
        self._storage = Storage(
            "storage",
            StorageArgs(
                **place,
                key_arn=self._key.arn,
                production=self._production,
                log_days=config.privacy.days(storage.LOG_DAYS),
            ),
            self._opts,
        )
        self._subnets = self._network(zones, place)
        self._eks = self._cluster(invoke)
        self._inside = pulumi.ResourceOptions(providers=[provider, self._eks.provider], transformations=transformations)
        self.cluster = self._prepared(zones)
        self._edge = self._open() if any(service.host for service in config.services.values()) else None
        self._watch = self._watched()
        self._priorities: list[int] = []
        self.bucket = Bucket(
            models=pulumi.Output.concat("s3://", self._storage.bucket, "/models"),
            egress=STORAGE,
            environment={"AWS_REGION": self._region},
            ready=[self._storage],
        )

    @property
    def proxies(self) -> Sequence[pulumi.Input[str]]:
        """Whose x-forwarded-for the services believe: the load balancer's."""
        return self._subnets.edges if self._edge else ()

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[Any]]:
        """What the stack exports besides its services."""
        found: dict[str, pulumi.Input[Any]] = {
            "clusterName": self._eks.name,
            "kubeconfig": self._eks.kubeconfig,
            "modelBucket": self._storage.bucket,
            "namespace": self._space,
        }
        if self._edge:
            found["edgeName"] = self._edge.balancer.dns_name
        if self._watch and self._watch.metrics_url:
            found["metricsUrl"] = self._watch.metrics_url
        return found

    def identity(self, name: str) -> Sequence[pulumi.Resource]:
        args = IdentityArgs(
            stack=self._name,
            service=name,
            cluster_name=self._eks.name,
            namespace=self._space,
            account_name=name,
            bucket_arn=self._storage.bucket_arn,
            prefix=f"models/{name}",
            key_arn=self._key.arn,
        )
        after = pulumi.ResourceOptions(depends_on=[self._eks.provider])
        return [ServiceIdentity(name, args, pulumi.ResourceOptions.merge(self._opts, after))]

    def registry(self, name: str) -> tuple[Registry, Sequence[pulumi.Resource]]:
        args = RepositoryArgs(repository=f"{self._name}/{name}", key_arn=self._key.arn, production=self._production)
        return registry_of(self._account, self._region, self._name), [ImageRepository(name, args, self._opts)]

    def _network(self, zones: Zones, place: dict[str, str]) -> Subnets:
        config = self._aws.network
        if config.vpc:
            return existing_subnets(config.vpc)
        args = NetworkArgs(
            **place,
            cidr=config.cidr,
            zones=zones.all,
            nat=config.nat,
            internal=self._aws.endpoint.internal,
            endpoints=config.endpoints,
            log_days=self.config.privacy.days(config.logDays, get_args(Days)),
            key_arn=self._key.arn,
        )
        return Network("network", args, self._opts).subnets

    def _versions(self, choices: Choices, invoke: pulumi.InvokeOptions) -> tuple[str, Mapping[str, str]]:
        """Of Kubernetes and of the add-ons; of a cluster that is there already neither is the stack's."""
        config = self._aws.cluster
        if config.existing:
            return "", {}
        version = choose_version(config.version, self._name, choices, invoke)
        return version, choose_addons(AUTO_ADDONS if config.compute == "auto" else ADDONS, version, choices, invoke)

    def _cluster(self, invoke: pulumi.InvokeOptions) -> Eks:
        config = self._aws.cluster
        if config.existing:
            return existing_cluster(config.existing, self._region, invoke)
        args = EksArgs(
            name=self._name,
            region=self._region,
            config=config,
            version=self._version,
            subnets=self._subnets,
            key_arn=self._key.arn,
            production=self._production,
        )
        return EksCluster("cluster", args, self._opts).eks

    def _prepared(self, zones: Zones) -> Cluster:
        """The cluster with nodes for what the services need, and the namespace that they share."""
        config, ready = self._aws.cluster, [*self._subnets.ready]
        if not config.existing and self._eks.auto:
            auto = AutoNodesArgs(
                eks=self._eks,
                addons=self._addons,
                pools=config.gpu,
                zones=zones.by_pool,
                subnets=self._subnets,
                labels=labels("nodes"),
            )
            ready += AutoNodes("nodes", auto, self._inside).ready
        elif not config.existing:
            groups = NodeGroupsArgs(
                region=self._region,
                account=self._account,
                stack_label=stack_label(),
                eks=self._eks,
                version=self._version,
                addons=self._addons,
                cpu=config.cpu,
                pools=config.gpu,
                zones=zones.by_pool,
                subnets=self._subnets,
            )
            ready += NodeGroups("nodes", groups, self._inside).ready
        if config.viewers and not config.existing:
            viewers("viewers", {"kind": "Group", "name": VIEWERS}, VIEWED, self._inside)
        space = KubernetesNamespace(
            "space", KubernetesNamespaceArgs(namespace=self._space, labels=self._gated), self._inside
        )
        if self._aws.observability.prometheus:
            self._scraped(space)
        pools = [
            Placement(selector={POOL: pool.name}, tolerations=[TOLERATION], resource=GPU, spot=pool.capacity == "spot")
            for pool in config.gpu
        ]
        return Cluster(
            provider=self._eks.provider,
            namespace=space.namespace,
            placements={
                "none": [Placement()],
                "nvidia": pools or [Placement(tolerations=[TOLERATION], resource=GPU)],
            },
            clients=self._subnets.edges,
            egress=[IDENTITY_AGENT],
            ready=[*ready, space],
        )

    @property
    def _gated(self) -> dict[str, str]:
        """Pods are ready only once the load balancer takes them for healthy, so that a rollout answers no 502. A pod
        gets the gate when it is made, where a binding exists: from the second rollout on."""
        return {f"{'eks.amazonaws.com' if self._eks.auto else 'elbv2.k8s.aws'}/pod-readiness-gate-inject": "enabled"}

    def _scraped(self, space: KubernetesNamespace) -> None:
        """Lets the scraper in, which is no pod: it asks from the private subnets."""
        spec: Any = {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"ipBlock": {"cidr": self._subnets.cidr}}],
                    "ports": [{"port": METRICS_PORT, "protocol": "TCP"}],
                }
            ],
        }
        kubernetes.networking.v1.NetworkPolicy(
            "scraper",
            metadata={"name": "scraper", "namespace": space.namespace, "labels": labels("scraper")},
            spec=spec,
            opts=pulumi.ResourceOptions(parent=space),
        )

    def _open(self) -> Edge:
        config = self.config
        args = EdgeArgs(
            name=self._name,
            config=self._aws.endpoint,
            subnets=self._subnets,
            targets=self._eks.security_group,
            allow=config.access.allow,
            logs=self._storage.logs,
            key_arn=self._key.arn,
            production=self._production,
            log_days=config.privacy.days(firewall.LOG_DAYS, get_args(Days)),
        )
        return Edge("edge", args, self._opts)

    def _watched(self) -> Watch:
        watch = Watch(
            "watch",
            WatchArgs(
                name=self._name,
                region=self._region,
                account=self._account,
                config=self._aws.observability,
                eks=self._eks,
                subnets=self._subnets,
                namespace=self._space,
                balancer=self._edge.balancer.arn_suffix if self._edge else None,
                key_arn=self._key.arn,
            ),
            self._opts,
        )
        if limit := self._aws.budget.monthlyUsd:
            budget = BudgetArgs(
                name=self._name,
                account=self._account,
                stack_label=stack_label(),
                cluster_name=self._eks.name,
                monthly_usd=limit,
                emails=self._aws.budget.emails or self._aws.observability.emails,
                topic_arn=watch.topic_arn,
            )
            Budget("budget", budget, self._opts)
        return watch

    def route(self, name: str, service: ServiceConfig, host: str, workload: Workload) -> pulumi.Output[str] | None:
        """The binding goes first when the stack goes, while its controller still runs, and the rule stays until no pod
        is asked."""
        assert self._edge
        self._priorities.append(priority_of(host, self._priorities))
        route = Route(
            name,
            RouteArgs(
                stack=self._name,
                service=name,
                runtime=workload.runtime,
                host=host,
                priority=self._priorities[-1],
                edge=self._edge,
                config=self._aws.endpoint,
                vpc_id=self._subnets.vpc_id,
                jwt=self.config.access.jwt if self._aws.endpoint.jwt else None,
                # In Auto Mode the controller may register pods only in groups with this tag.
                tags={"eks:eks-cluster-name": self._eks.name} if self._eks.auto else {},
            ),
            self._inside,
        )
        self._watch.unhealthy(name, route.group.arn_suffix)
        api = "eks.amazonaws.com/v1" if self._eks.auto else "elbv2.k8s.aws/v1beta1"
        CustomResource(
            name,
            api_version=api,
            kind="TargetGroupBinding",
            metadata={"name": name, "namespace": self.cluster.namespace, "labels": labels(name)},
            spec={
                "targetGroupARN": route.group.arn,
                "targetType": "ip",
                "serviceRef": {"name": workload.service, "port": workload.port},
            },
            opts=pulumi.ResourceOptions(parent=route, depends_on=[workload, route.rule, *self.cluster.ready]),
        )
        return route.rule.id.apply(lambda _: f"https://{host}")
