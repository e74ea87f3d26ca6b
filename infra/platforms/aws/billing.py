"""What AWS bills for, by type."""

from __future__ import annotations

import re
from typing import Any

from slipway.infra.cost.declared import UNKNOWN, Declared
from slipway.infra.cost.needs import Billing, Need, Rule, Span, Stack, always, by_use, count, region_of

AUTO_DISK = 80  # GiB of a node in Auto Mode whose class names none: https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html
GROUP_DISK = (
    20  # GiB of a node group's node: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html
)
GPUS = {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8, "metal": 8}  # of a machine of the G families; smaller ones have 1
GPU = "nvidia.com/gpu"
NODE_POOL, NODE_CLASS = "kubernetes:karpenter.sh/v1:NodePool", "kubernetes:eks.amazonaws.com/v1:NodeClass"


def _cluster(resource: Declared, stack: Stack) -> list[Need]:
    needs = [Need(item="aws/eks-cluster")]
    if resource.get("computeConfig", "enabled") is True:
        for pool in resource.get("computeConfig", "nodePools") or ():
            if not (machine := stack.config.nodeTypes.get(pool)):
                needs.append(Need(why=f"Auto Mode chooses the machines of {pool}: name one in cost.nodeTypes.{pool}"))
                continue
            nodes = Span.of(stack.config.expectedNodes.get(pool, 1))
            needs += _machines([machine], "on-demand", nodes, AUTO_DISK, region_of(resource, stack), auto=True)
    return needs


def _node_group(resource: Declared, stack: Stack) -> list[Need]:
    scaling = resource.get("scalingConfig") or {}
    low, high = count(scaling.get("minSize")), count(scaling.get("maxSize"))
    desired = scaling.get("desiredSize")
    nodes = stack.nodes(resource.name, low, high, count(desired) if desired not in (None, UNKNOWN) else None)
    disk = resource.get("diskSize") or _template_disk(resource, stack)
    return _machines(
        resource.get("instanceTypes") or [], resource.get("capacityType"), nodes, count(disk, GROUP_DISK),
        region_of(resource, stack),
    )  # fmt: skip


def _template_disk(resource: Declared, stack: Stack) -> Any:
    """Of the launch template of the same name, which the node group names by an id that is not known yet."""
    for each in stack.of_type("aws:ec2/launchTemplate:LaunchTemplate"):
        if each.name == resource.name:
            return each.get("blockDeviceMappings", 0, "ebs", "volumeSize")
    return None


def _node_pool(resource: Declared, stack: Stack) -> list[Need]:
    """A pool of Karpenter's, as Auto Mode has them: its limit is in GPUs, and its nodes come and go."""
    asked = {each.get("key"): each.get("values") for each in resource.get("spec", "template", "spec", "requirements")}
    region = stack.regions.get("aws", "")
    own = stack.config.nodeTypes.get(resource.name)
    machines = [own] if own else asked.get("node.kubernetes.io/instance-type") or []
    limit = resource.get("spec", "limits", GPU)
    if not machines or limit in (None, UNKNOWN):
        return [Need(why=f"the cloud chooses the machines: name one in cost.nodeTypes.{resource.name}, and a limit")]
    most = count(limit) // min(GPUS.get(each.split(".")[-1], 1) for each in machines)
    classes = {each.name: each for each in stack.of_type(NODE_CLASS)}
    storage = classes[resource.name].get("spec", "ephemeralStorage", "size") if resource.name in classes else ""
    size = re.match(r"\d+", str(storage))
    kinds = asked.get("karpenter.sh/capacity-type") or ["on-demand"]
    capacity = "on-demand" if "on-demand" in kinds else "spot"
    disk = int(size[0]) if size else AUTO_DISK
    return _machines(machines, capacity, stack.nodes(resource.name, 0, most), disk, region, auto=True)


def _machines(
    machines: list[str], capacity: Any, nodes: Span, disk: int, region: str, auto: bool = False
) -> list[Need]:
    if not machines:
        return [Need(why="no machine is named")]
    family = "aws/spot" if str(capacity).lower() == "spot" else "aws/instance"
    choices = [f"{family}/{each}" for each in machines]
    needs = [Need(choices=choices, region=region, amount=nodes)]
    if auto:
        # The fee is of the on-demand price, on spot machines as well.
        regular = [f"aws/instance/{each}" for each in machines]
        needs.append(Need(item="aws/eks-auto-mode", share_of=regular[0], region=region, amount=nodes))
    return [*needs, Need(item="aws/gp3", region=region, amount=nodes * disk)]


def _nat(resource: Declared, stack: Stack) -> list[Need]:
    region = region_of(resource, stack)
    zones = 1
    if resource.get("availabilityMode") == "regional":
        zones = len({str(each.get("availabilityZone")) for each in stack.of_type("aws:ec2/subnet:Subnet")}) or 1
    gateways = Need(item="aws/nat-gateway", region=region, amount=Span.of(zones))
    address = [Need(item="aws/public-ipv4", amount=Span.of(zones))] if zones > 1 else []
    return [gateways, *address, *by_use("aws/nat-data", "natGb")(resource, stack)]


def _load_balancer(resource: Declared, stack: Stack) -> list[Need]:
    if resource.get("loadBalancerType") not in (None, "application"):
        return [Need(why=f"a {resource.get('loadBalancerType')} load balancer has no price in the table")]
    region, usage = region_of(resource, stack), stack.config.usage
    # A capacity unit carries 1 GB an hour: https://aws.amazon.com/elasticloadbalancing/pricing/
    units = Span.by_use(usage.trafficGb / 730)
    addresses = (
        len(resource.get("subnets") or resource.get("subnetMappings") or ()) if not resource.get("internal") else 0
    )
    return [
        Need(item="aws/alb", region=region),
        Need(item="aws/alb-lcu", region=region, amount=units, why="by use: cost.usage.trafficGb"),
        *([Need(item="aws/public-ipv4", amount=Span.of(addresses))] if addresses else []),
    ]


def _endpoint(resource: Declared, stack: Stack) -> list[Need]:
    if resource.get("vpcEndpointType") != "Interface":
        return []
    region, zones = region_of(resource, stack), len(resource.get("subnetIds") or ()) or 1
    hours = Need(item="aws/interface-endpoint", region=region, amount=Span.of(zones))
    return [hours, *by_use("aws/endpoint-data", "natGb")(resource, stack)]


def _web_acl(resource: Declared, stack: Stack) -> list[Need]:
    rules, requests = len(resource.get("rules") or ()), Span.by_use(stack.config.usage.requestsMillion)
    return [
        Need(item="aws/waf-acl"),
        Need(item="aws/waf-rule", amount=Span.of(rules)),
        Need(item="aws/waf-requests", amount=requests, why="by use: cost.usage.requestsMillion"),
    ]


_BILLED: dict[str, Rule] = {
    "aws:eks/cluster:Cluster": _cluster,
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    NODE_POOL: _node_pool,
    "aws:ec2/natGateway:NatGateway": _nat,
    "aws:ec2/eip:Eip": always("aws/public-ipv4"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:wafv2/webAcl:WebAcl": _web_acl,
    "aws:kms/key:Key": always("aws/kms-key"),
    "aws:s3/bucket:Bucket": by_use("aws/s3", "modelGb"),
    "aws:ecr/repository:Repository": by_use("aws/ecr", "imageGb"),
    "aws:cloudwatch/logGroup:LogGroup": by_use("aws/logs", "logGb"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": always("aws/alarm"),
    "aws:cloudwatch/dashboard:Dashboard": always("aws/dashboard"),
    "aws:secretsmanager/secret:Secret": always("aws/secret"),
    "aws:amp/scraper:Scraper": always("aws/prometheus-scraper"),
    "aws:amp/workspace:Workspace": by_use("aws/prometheus-samples", "samplesMillion"),
}
_FREE = (
    "amp/alertManagerDefinition:AlertManagerDefinition", "amp/ruleGroupNamespace:RuleGroupNamespace",
    "acm/certificate:Certificate", "acm/certificateValidation:CertificateValidation", "budgets/budget:Budget",
    "ec2/defaultSecurityGroup:DefaultSecurityGroup", "ec2/flowLog:FlowLog", "ec2/internetGateway:InternetGateway",
    "ec2/launchTemplate:LaunchTemplate", "ec2/route:Route", "ec2/routeTable:RouteTable",
    "ec2/securityGroup:SecurityGroup", "ec2/routeTableAssociation:RouteTableAssociation", "ec2/subnet:Subnet",
    "ec2/vpc:Vpc", "ecr/lifecyclePolicy:LifecyclePolicy", "ecr/repositoryPolicy:RepositoryPolicy",
    "eks/accessEntry:AccessEntry", "eks/accessPolicyAssociation:AccessPolicyAssociation", "eks/addon:Addon",
    "eks/podIdentityAssociation:PodIdentityAssociation", "iam/openIdConnectProvider:OpenIdConnectProvider",
    "iam/policy:Policy", "iam/role:Role", "iam/rolePolicy:RolePolicy",
    "iam/rolePolicyAttachment:RolePolicyAttachment", "kms/alias:Alias", "lb/listener:Listener",
    "lb/listenerRule:ListenerRule", "lb/targetGroup:TargetGroup", "route53/record:Record",
    "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "s3/bucketLogging:BucketLogging",
    "s3/bucketObjectv2:BucketObjectv2", "s3/bucketOwnershipControls:BucketOwnershipControls",
    "s3/bucketPolicy:BucketPolicy", "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "s3/bucketVersioning:BucketVersioning",
    "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", "sns/topic:Topic",
    "sns/topicPolicy:TopicPolicy", "sns/topicSubscription:TopicSubscription",
    "vpc/securityGroupEgressRule:SecurityGroupEgressRule", "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "wafv2/ipSet:IpSet", "wafv2/webAclAssociation:WebAclAssociation",
    "wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
)  # fmt: skip
BILLING = Billing(billed=_BILLED, free=frozenset(f"aws:{each}" for each in _FREE))
