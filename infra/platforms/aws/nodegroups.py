"""Nodes of a cluster with managed node groups, and what has to run in it that Auto Mode brings by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from slipway.infra.names import KEEPS_ITS_NAME, STACK_TAG, bounded, own_name
from slipway.infra.platforms.aws.autonodes import ACCELERATOR, GPU, POOL
from slipway.infra.platforms.aws.charts import AUTOSCALER, DEVICE_PLUGIN, LOAD_BALANCERS, Chart
from slipway.infra.platforms.aws.cluster import Eks
from slipway.infra.platforms.aws.config import CpuNodes, GpuPool
from slipway.infra.platforms.aws.network import Subnets
from slipway.infra.platforms.aws.policies import AWS_POLICY, allow, document, pod_trust

SYSTEM = "kube-system"
# Before the nodes: without them a node never becomes ready, or no pod gets its role.
FIRST = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
THEN = ("coredns", "metrics-server", "eks-node-monitoring-agent")
ADDONS = (*FIRST, *THEN)


@dataclass(frozen=True, kw_only=True)
class NodeGroupsArgs:
    """`version`: of Kubernetes on nodes, the cluster's; `addons`: their versions. `zones`: of each GPU pool's nodes,
    by its name. `stack_label`: what the stack's target groups are tagged with."""

    region: str
    account: str
    stack_label: str
    eks: Eks
    version: str
    addons: Mapping[str, str]
    cpu: CpuNodes
    pools: Sequence[GpuPool]
    zones: dict[str, list[str]]
    subnets: Subnets


class NodeGroups(pulumi.ComponentResource):
    """Owns add-ons in the order that nodes need, one group of nodes without GPUs, one per GPU pool, and the charts:
    device plugin, autoscaler (which prefers the pools in their order), load balancer controller. Output: `ready`."""

    def __init__(self, name: str, args: NodeGroupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:NodeGroups", name, None, opts)
        self._args, self._own = args, pulumi.ResourceOptions(parent=self)
        assert args.eks.node_role is not None
        self._nodes = args.eks.node_role
        first = [self._addon(each, [args.eks.provider], **self._cni(each)) for each in FIRST]
        groups: list[pulumi.Resource] = [
            self._group(
                "cpu",
                instances=args.cpu.instances, ami="AL2023_x86_64_STANDARD", capacity="on-demand", disk=args.cpu.diskGb,
                sizes=(args.cpu.min, args.cpu.max), zones=None, gpu=False, needs=first,
            )
        ]  # fmt: skip
        for pool in args.pools:
            groups.append(
                self._group(
                    pool.name,
                    instances=pool.instances, ami="AL2023_x86_64_NVIDIA", capacity=pool.capacity, disk=pool.diskGb,
                    sizes=(pool.min, pool.max), zones=args.zones.get(pool.name), gpu=True, needs=first,
                )
            )  # fmt: skip
        addons = [self._addon(each, groups) for each in THEN]
        self.ready: list[pulumi.Resource] = [*groups, *addons, *self._charts([*groups, *addons])]
        self.register_outputs({})

    def _addon(self, name: str, needs: Sequence[pulumi.Resource], **more: Any) -> aws.eks.Addon:
        return aws.eks.Addon(
            name,
            cluster_name=self._args.eks.name,
            addon_name=name,
            addon_version=self._args.addons[name],
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(needs)),
            **more,
        )

    def _cni(self, addon: str) -> dict[str, Any]:
        """The CNI has a role of its own, so that pods on a node can't use the node's; and keeps network policies."""
        if addon != "vpc-cni":
            return {}
        role = self._pod_role("cni", "aws-node")
        aws.iam.RolePolicyAttachment(
            "cni", role=role.name, policy_arn=f"{AWS_POLICY}AmazonEKS_CNI_Policy", opts=self._own
        )
        return {
            "configuration_values": json.dumps({"enableNetworkPolicy": "true"}),
            "pod_identity_associations": [{"role_arn": role.arn, "service_account": "aws-node"}],
        }

    def _pod_role(self, name: str, account: str) -> aws.iam.Role:
        return aws.iam.Role(
            name,
            name=bounded(64, self._args.eks.name, name),
            assume_role_policy=pod_trust(self._args.eks.name, SYSTEM, account),
            opts=self._own,
        )

    def _group(
        self, name: str, *, instances: list[str], ami: str, capacity: str, disk: int, sizes: tuple[int, int],
        zones: list[str] | None, gpu: bool, needs: Sequence[pulumi.Resource],
    ) -> aws.eks.NodeGroup:  # fmt: skip
        least, most = sizes
        template = self._template(name, disk)
        return aws.eks.NodeGroup(
            name,
            cluster_name=self._args.eks.name,
            node_group_name=name,
            version=self._args.version,  # and with another one EKS takes its newest AMI
            node_role_arn=self._nodes.arn,
            subnet_ids=self._args.subnets.private_in(zones),
            ami_type=ami,
            capacity_type="SPOT" if capacity == "spot" else "ON_DEMAND",
            instance_types=instances,
            launch_template={
                "id": template.id,
                "version": template.latest_version.apply(lambda version: str(int(version))),
            },
            scaling_config={"desired_size": least, "min_size": least, "max_size": most},
            labels={POOL: name, **({ACCELERATOR: "nvidia"} if gpu else {})},
            taints=[{"key": GPU, "value": "present", "effect": "NO_SCHEDULE"}] if gpu else [],
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*needs, *self._args.subnets.ready],
                ignore_changes=["scalingConfig.desiredSize"],  # the autoscaler's
            ),
        )

    def _template(self, name: str, disk: int) -> aws.ec2.LaunchTemplate:
        tags = {STACK_TAG: self._args.stack_label, "Name": f"{self._args.eks.name}-{name}"}
        return aws.ec2.LaunchTemplate(
            name,
            name=own_name(128, self._args.eks.name, name),
            metadata_options={"http_tokens": "required", "http_put_response_hop_limit": 1, "http_endpoint": "enabled"},
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "volume_size": disk,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[{"resource_type": kind, "tags": tags} for kind in ("instance", "volume")],
            update_default_version=True,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=KEEPS_ITS_NAME),
        )

    def _charts(self, needs: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        args = self._args
        name, region = args.eks.name, args.region
        balancers = self._chart(
            LOAD_BALANCERS,
            _balancing(args),
            {
                "clusterName": name,
                "region": region,
                "vpcId": args.subnets.vpc_id,
                "serviceAccount": {"name": LOAD_BALANCERS.account},
                # It binds pods to target groups and makes no load balancer.
                "createIngressClassResource": False,
                "enableServiceMutatorWebhook": False,
            },
            needs,
        )
        if not args.pools:
            return [balancers]
        priorities = {str(100 - rank): [f"eks-{pool.name}-.*"] for rank, pool in enumerate(args.pools)}
        autoscaler = self._chart(
            AUTOSCALER,
            _scaling(args),
            {
                "autoDiscovery": {"clusterName": name},
                "awsRegion": region,
                "rbac": {"serviceAccount": {"name": AUTOSCALER.account}},
                "extraArgs": {"expander": "priority,least-waste", "balance-similar-node-groups": True},
                "expanderPriorities": {key: [*value] for key, value in priorities.items()},
            },
            needs,
        )
        plugin = self._chart(
            DEVICE_PLUGIN,
            "",
            {
                # In place of the chart's own, which asks for labels that another chart would give.
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [{"key": ACCELERATOR, "operator": "In", "values": ["nvidia"]}]}
                            ]
                        }
                    }
                },
                "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
            },
            needs,
        )
        return [balancers, autoscaler, plugin]

    def _chart(
        self, chart: Chart, policy: str, values: dict[str, Any], needs: Sequence[pulumi.Resource]
    ) -> pulumi.Resource:
        depends = list(needs)
        if policy:
            role = self._pod_role(chart.name, chart.account)
            aws.iam.RolePolicy(chart.name, name="work", role=role.name, policy=policy, opts=self._own)
            depends.append(
                aws.eks.PodIdentityAssociation(
                    chart.name,
                    cluster_name=self._args.eks.name,
                    namespace=SYSTEM,
                    service_account=chart.account,
                    role_arn=role.arn,
                    opts=self._own,
                )
            )
        return kubernetes.helm.v3.Release(
            chart.name,
            name=chart.name,
            namespace=SYSTEM,
            chart=chart.chart,
            version=chart.version,
            repository_opts={"repo": chart.repository},
            atomic=True,
            cleanup_on_fail=True,
            timeout=600,
            values=values,
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends),
        )


def _balancing(args: NodeGroupsArgs) -> str:
    """What binding pods to target groups that are there takes, by the controller's own minimal policy."""
    groups = f"arn:aws:elasticloadbalancing:{args.region}:{args.account}:targetgroup/*/*"
    ours = {"StringEquals": {f"aws:ResourceTag/{STACK_TAG}": args.stack_label}}
    return document(
        allow(
            [
                "ec2:DescribeVpcs", "ec2:DescribeSecurityGroups", "ec2:DescribeInstances", "ec2:DescribeSubnets",
                "ec2:DescribeAvailabilityZones", "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
            ],
            ["*"],
        ),
        allow(
            [
                "elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets",
                "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
            ],
            [groups],
            Condition=ours,
        ),
    )  # fmt: skip


def _scaling(args: NodeGroupsArgs) -> str:
    """The autoscaler's own minimal policy: it changes groups of this cluster alone, by the tag that EKS gives them."""
    place = f"{args.region}:{args.account}"
    ours = {"StringEquals": {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{args.eks.name}": "owned"}}
    return document(
        allow(
            [
                "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances",
                "autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeScalingActivities",
                "autoscaling:DescribeTags", "ec2:DescribeImages", "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplateVersions", "ec2:GetInstanceTypesFromInstanceRequirements",
            ],
            ["*"],
        ),
        allow(["eks:DescribeNodegroup"], [f"arn:aws:eks:{place}:nodegroup/{args.eks.name}/*/*"]),
        allow(
            ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
            [f"arn:aws:autoscaling:{place}:autoScalingGroup:*:autoScalingGroupName/*"],
            Condition=ours,
        ),
    )  # fmt: skip
