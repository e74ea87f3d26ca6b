"""The EKS control plane: who may ask it, what it logs, how the program reaches it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from slipway.infra.platforms.aws.access import ClusterAccess
from slipway.infra.platforms.aws.config import ClusterConfig
from slipway.infra.platforms.aws.network import Subnets
from slipway.infra.platforms.aws.policies import AWS_POLICY, trusted_by
from slipway.infra.protection import guarded_by_cloud
from slipway.infra.recorded import recorded_resources
from slipway.infra.workload.cluster import IN_PLACE

LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
# EKS does not tell them afterwards, so an import takes their defaults for what is there.
CREATE_ONLY = ("bootstrapSelfManagedAddons", "accessConfig.bootstrapClusterCreatorAdminPermissions")
ACCESS_POLICY = "arn:aws:eks::aws:cluster-access-policy"
# The Kubernetes group of `cluster.viewers`.
VIEWERS = "slipway-viewers"
AUTO_POLICIES = (
    "AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EksArgs:
    """`name`: the cluster's, and what names start with. `key_arn`: encrypts secrets and logs."""

    name: str
    region: str
    config: ClusterConfig
    version: str
    subnets: Subnets
    key_arn: pulumi.Input[str]
    production: bool


@dataclass(frozen=True, kw_only=True)
class Eks:
    """A cluster as the rest of the stack sees it. `auto`: whether it is in Auto Mode; `node_role`: the name of its
    nodes' role, where the stack made them; `provider` waits until the deployer is let in."""

    name: str
    auto: bool
    arn: pulumi.Input[str]
    security_group: pulumi.Input[str]
    kubeconfig: pulumi.Output[str]
    provider: kubernetes.Provider
    node_role: aws.iam.Role | None = None


class EksCluster(pulumi.ComponentResource):
    """Owns a control plane with its roles, its log group and its access entries. No one is let in but by an entry.

    Node-count changes and other edits are updates in place: the provider is told by `cluster_identifier` that it is the
    same cluster, so nothing in it is ever replaced. Output: `eks`."""

    def __init__(self, name: str, args: EksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:EksCluster", name, None, opts)
        self._own, self._args = pulumi.ResourceOptions(parent=self), args
        self._auto = args.config.compute == "auto"
        self._administrators = [*filter(None, [args.config.deployer]), *args.config.admins]
        nodes = self._node_role()
        cluster = self._control_plane(nodes)
        entries = self._entries(cluster)
        kubeconfig = pulumi.Output.all(cluster.endpoint, cluster.certificate_authority).apply(
            lambda known: kubeconfig_of(args.name, args.region, known[0], known[1]["data"])
        )
        let_in = ClusterAccess(
            "cluster",
            kubeconfig,
            self._administrators,
            pulumi.ResourceOptions(parent=self, depends_on=entries),
        )
        provider = kubernetes.Provider(
            "cluster",
            kubeconfig=kubeconfig,
            **IN_PLACE,
            cluster_identifier=cluster.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*entries, let_in]),
        )
        self.eks = Eks(
            name=args.name,
            auto=self._auto,
            arn=cluster.arn,
            security_group=cluster.vpc_config.apply(lambda vpc: str(vpc.cluster_security_group_id)),
            kubeconfig=pulumi.Output.secret(kubeconfig),
            provider=provider,
            node_role=nodes,
        )
        self.register_outputs({})

    def _node_role(self) -> aws.iam.Role:
        policies = "AmazonEKSWorkerNodeMinimalPolicy" if self._auto else "AmazonEKSWorkerNodePolicy"
        return self._role("nodes", trusted_by("ec2"), [policies, "AmazonEC2ContainerRegistryPullOnly"])[0]

    def _role(self, name: str, trust: str, policies: Sequence[str]) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        role = aws.iam.Role(name, name=f"{self._args.name}-{name}", assume_role_policy=trust, opts=self._own)
        return role, [
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy}", role=role.name, policy_arn=f"{AWS_POLICY}{policy}", opts=self._own
            )
            for policy in policies
        ]

    def _control_plane(self, nodes: aws.iam.Role) -> aws.eks.Cluster:
        args, config = self._args, self._args.config
        trust = trusted_by("eks", "sts:AssumeRole", "sts:TagSession")
        role, attached = self._role("cluster", trust, AUTO_POLICIES if self._auto else AUTO_POLICIES[:1])
        place = f"/aws/eks/{args.name}/cluster"
        logs = aws.cloudwatch.LogGroup(
            "cluster",
            name=place,
            retention_in_days=config.logDays,
            kms_key_id=args.key_arn,
            opts=pulumi.ResourceOptions.merge(self._own, self._left(place)),
        )
        compute: Any = {"enabled": self._auto}
        if self._auto:
            compute |= {"node_pools": ["general-purpose", "system"], "node_role_arn": nodes.arn}
        network: Any = {
            "service_ipv4_cidr": config.serviceCidr,
            "elastic_load_balancing": {"enabled": self._auto},
        }
        api: Any = {
            "subnet_ids": list(args.subnets.private.values()),
            "endpoint_private_access": True,
            "endpoint_public_access": config.public,
            **({"public_access_cidrs": config.allow} if config.public else {}),
        }
        return aws.eks.Cluster(
            "cluster",
            name=args.name,
            role_arn=role.arn,
            version=args.version,
            bootstrap_self_managed_addons=False,
            access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": False},
            compute_config=compute,
            kubernetes_network_config=network,
            storage_config={"block_storage": {"enabled": self._auto}},
            vpc_config=api,
            encryption_config={"provider": {"key_arn": args.key_arn}, "resources": ["secrets"]},
            enabled_cluster_log_types=list(LOGS),
            upgrade_policy={"support_type": "STANDARD"},
            deletion_protection=guarded_by_cloud(args.production),
            # The role's policies let the control plane clean up after itself, so they go last.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*attached, logs], ignore_changes=list(CREATE_ONLY)),
        )

    def _left(self, group: str) -> pulumi.ResourceOptions:
        """EKS writes its last lines after a destroy, and so makes its log group again, without our settings. The first
        update imports it as it is, the next one gives it key, retention and tags."""
        if any(each["type"] == LOG_GROUP and each["outputs"].get("name") == group for each in recorded_resources()):
            return pulumi.ResourceOptions()
        found = aws.cloudwatch.get_log_groups(log_group_name_prefix=group, opts=pulumi.InvokeOptions(parent=self))
        if group not in found.log_group_names:
            return pulumi.ResourceOptions()
        pulumi.log.info(f"{group} is there, from before: imported; the next update gives it its settings")
        return pulumi.ResourceOptions(import_=group, ignore_changes=["kmsKeyId", "retentionInDays", "tags"])

    def _entries(self, cluster: aws.eks.Cluster) -> list[pulumi.Resource]:
        config = self._args.config
        granted: list[pulumi.Resource] = []
        for role in [*self._administrators, *config.viewers]:
            name = role.split("/", 1)[1].replace("/", "-")
            entry = aws.eks.AccessEntry(
                name,
                cluster_name=cluster.name,
                principal_arn=role,
                type="STANDARD",
                # What the group may read is said in the cluster: no policy of EKS's reads what a stack has.
                kubernetes_groups=[VIEWERS] if role in config.viewers else None,
                opts=self._own,
            )
            granted.append(entry)
            if role in self._administrators:
                granted.append(
                    aws.eks.AccessPolicyAssociation(
                        name,
                        cluster_name=cluster.name,
                        principal_arn=entry.principal_arn,
                        policy_arn=f"{ACCESS_POLICY}/AmazonEKSClusterAdminPolicy",
                        access_scope={"type": "cluster"},
                        opts=self._own,
                    )
                )
        return granted


def existing_cluster(name: str, region: str, invoke: pulumi.InvokeOptions) -> Eks:
    """A cluster that is there already: the stack brings nothing into it but its own namespace."""
    found = aws.eks.get_cluster(name=name, opts=invoke)
    kubeconfig = kubeconfig_of(name, region, found.endpoint, found.certificate_authorities[0].data)
    return Eks(
        name=name,
        auto=any(each.enabled for each in found.compute_configs or ()),
        arn=found.arn,
        security_group=found.vpc_config.cluster_security_group_id,
        kubeconfig=pulumi.Output.secret(kubeconfig),
        provider=kubernetes.Provider("cluster", kubeconfig=kubeconfig, cluster_identifier=found.arn, **IN_PLACE),
    )


def kubeconfig_of(name: str, region: str, endpoint: str, authority: str) -> str:
    """A kubeconfig that holds no credentials: `aws eks get-token` brings those of whoever uses it."""
    token = ["eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json"]
    login = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "aws",
        "args": token,
        "interactiveMode": "Never",
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "deployer"}}],
            "users": [{"name": "deployer", "user": {"exec": login}}],
        }
    )
