"""What who deploys has to be allowed, said once: `bootstrap/aws` grants it, the preflight asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.infra.platforms.aws.config import AwsConfig

# Of the roles of the stacks, by their names; PowerUserAccess has nothing of IAM.
ROLES = (
    "iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy",
    "iam:TagRole", "iam:UntagRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole", "iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy",
    "iam:AttachRolePolicy", "iam:DetachRolePolicy",
)  # fmt: skip
PASS = "iam:PassRole"  # noqa: S105 - an action
MAY_TAKE = ("eks.amazonaws.com", "ec2.amazonaws.com", "pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com")
# What the deployer may do with its own role: ask what it may do.
OWN = ("iam:GetRole", "iam:SimulatePrincipalPolicy")
# What makes each type of resource, by the part of the stack that has it; ROLES make the types of IAM.
MAKES = {
    "stack": {
        "aws:cloudwatch/logGroup:LogGroup": "logs:CreateLogGroup",
        "aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:PutMetricAlarm",
        "aws:ecr/lifecyclePolicy:LifecyclePolicy": "ecr:PutLifecyclePolicy",
        "aws:ecr/repository:Repository": "ecr:CreateRepository",
        "aws:eks/podIdentityAssociation:PodIdentityAssociation": "eks:CreatePodIdentityAssociation",
        "aws:kms/alias:Alias": "kms:CreateAlias",
        "aws:kms/key:Key": "kms:CreateKey",
        "aws:s3/bucket:Bucket": "s3:CreateBucket",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
        "aws:s3/bucketLogging:BucketLogging": "s3:PutBucketLogging",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "s3:PutBucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy": "s3:PutBucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
            "s3:PutEncryptionConfiguration"
        ),
        "aws:s3/bucketVersioning:BucketVersioning": "s3:PutBucketVersioning",
        "aws:sns/topic:Topic": "sns:CreateTopic",
        "aws:sns/topicPolicy:TopicPolicy": "sns:SetTopicAttributes",
        "aws:sns/topicSubscription:TopicSubscription": "sns:Subscribe",
    },
    "network": {
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "ec2:RevokeSecurityGroupIngress",
        "aws:ec2/eip:Eip": "ec2:AllocateAddress",
        "aws:ec2/flowLog:FlowLog": "ec2:CreateFlowLogs",
        "aws:ec2/internetGateway:InternetGateway": "ec2:CreateInternetGateway",
        "aws:ec2/natGateway:NatGateway": "ec2:CreateNatGateway",
        "aws:ec2/route:Route": "ec2:CreateRoute",
        "aws:ec2/routeTable:RouteTable": "ec2:CreateRouteTable",
        "aws:ec2/routeTableAssociation:RouteTableAssociation": "ec2:AssociateRouteTable",
        "aws:ec2/subnet:Subnet": "ec2:CreateSubnet",
        "aws:ec2/vpc:Vpc": "ec2:CreateVpc",
        "aws:ec2/vpcEndpoint:VpcEndpoint": "ec2:CreateVpcEndpoint",
    },
    "cluster": {
        "aws:eks/accessEntry:AccessEntry": "eks:CreateAccessEntry",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": "eks:AssociateAccessPolicy",
        "aws:eks/addon:Addon": "eks:CreateAddon",
        "aws:eks/cluster:Cluster": "eks:CreateCluster",
    },
    "groups": {
        "aws:ec2/launchTemplate:LaunchTemplate": "ec2:CreateLaunchTemplate",
        "aws:eks/nodeGroup:NodeGroup": "eks:CreateNodegroup",
    },
    "edge": {
        "aws:cloudwatch/dashboard:Dashboard": "cloudwatch:PutDashboard",
        "aws:ec2/securityGroup:SecurityGroup": "ec2:CreateSecurityGroup",
        "aws:lb/listener:Listener": "elasticloadbalancing:CreateListener",
        "aws:lb/listenerRule:ListenerRule": "elasticloadbalancing:CreateRule",
        "aws:lb/loadBalancer:LoadBalancer": "elasticloadbalancing:CreateLoadBalancer",
        "aws:lb/targetGroup:TargetGroup": "elasticloadbalancing:CreateTargetGroup",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "ec2:AuthorizeSecurityGroupEgress",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "ec2:AuthorizeSecurityGroupIngress",
    },
    "zone": {
        "aws:acm/certificate:Certificate": "acm:RequestCertificate",
        "aws:acm/certificateValidation:CertificateValidation": "acm:DescribeCertificate",
        "aws:route53/record:Record": "route53:ChangeResourceRecordSets",
    },
    "firewall": {
        "aws:wafv2/ipSet:IpSet": "wafv2:CreateIPSet",
        "aws:wafv2/webAcl:WebAcl": "wafv2:CreateWebACL",
        "aws:wafv2/webAclAssociation:WebAclAssociation": "wafv2:AssociateWebACL",
        "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "wafv2:PutLoggingConfiguration",
    },
    "prometheus": {
        "aws:amp/alertManagerDefinition:AlertManagerDefinition": "aps:CreateAlertManagerDefinition",
        "aws:amp/ruleGroupNamespace:RuleGroupNamespace": "aps:CreateRuleGroupsNamespace",
        "aws:amp/scraper:Scraper": "aps:CreateScraper",
        "aws:amp/workspace:Workspace": "aps:CreateWorkspace",
    },
    "budget": {"aws:budgets/budget:Budget": "budgets:ModifyBudget"},
}


def actions(config: AwsConfig) -> list[str]:
    """What makes the parts that a stack of this configuration has, besides its roles."""
    has = {
        "network": config.network.vpc is None,
        "cluster": config.cluster.existing is None,
        "groups": config.cluster.compute == "managed" and config.cluster.existing is None,
        "edge": config.endpoint.domain is not None,
        "zone": config.endpoint.zone is not None,
        "firewall": config.endpoint.domain is not None and config.endpoint.waf,
        "prometheus": config.observability.prometheus,
        "budget": config.budget.monthlyUsd is not None,
    }
    return sorted({each for part, makes in MAKES.items() if has.get(part, True) for each in makes.values()})
