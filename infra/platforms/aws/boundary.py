"""The most that a role of a stack may ever do, whatever policies it gets: its permissions boundary.

An administrator makes it (`bootstrap/aws`), one for each stack, and no deployer may change it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from slipway.infra.platforms.aws.policies import allow, document

if TYPE_CHECKING:
    from slipway.infra.platforms.aws.config import AwsConfig

ROLE = "aws:iam/role:Role"
# What the control plane, nodes, controllers and flow logs do, by AWS's own policies for them (`permissions.ATTACHED`)
# and those in this folder. It reaches no data.
WORK = (
    "acm:DescribeCertificate", "acm:ListCertificates", "autoscaling:Describe*",
    "autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup",
    "autoscaling:UpdateAutoScalingGroup", "cognito-idp:DescribeUserPoolClient",
    "ec2:AssignIpv6Addresses", "ec2:AssignPrivateIpAddresses", "ec2:AssociateTrunkInterface",
    "ec2:AttachNetworkInterface", "ec2:AttachVolume", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateFleet",
    "ec2:CreateLaunchTemplate", "ec2:CreateNetworkInterface", "ec2:CreateRoute", "ec2:CreateSecurityGroup",
    "ec2:CreateSnapshot", "ec2:CreateTags", "ec2:CreateVolume", "ec2:DeleteNetworkInterface", "ec2:DeleteRoute",
    "ec2:DeleteSecurityGroup", "ec2:DeleteVolume", "ec2:Describe*", "ec2:DetachNetworkInterface", "ec2:DetachVolume",
    "ec2:DisassociateTrunkInterface", "ec2:EnableFastSnapshotRestores", "ec2:GetCoipPoolUsage",
    "ec2:GetInstanceTypesFromInstanceRequirements", "ec2:GetSecurityGroupsForVpc", "ec2:ModifyInstanceAttribute",
    "ec2:ModifyNetworkInterfaceAttribute", "ec2:ModifyVolume", "ec2:RevokeSecurityGroupIngress", "ec2:RunInstances",
    "ec2:UnassignIpv6Addresses", "ec2:UnassignPrivateIpAddresses", "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
    "eks:Describe*", "eks-auth:AssumeRoleForPodIdentity", "elasticloadbalancing:*", "kms:DescribeKey",
    "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents",
    "shield:CreateProtection", "shield:DeleteProtection", "shield:DescribeProtection",
    "shield:GetSubscriptionState", "shield:ListProtections", "shield:TagResource",
    "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACL", "wafv2:GetWebACLForResource",
    "wafv2:ListWebACLs",
)  # fmt: skip
TO_NODES = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}


def boundary_name(stack: str) -> str:
    """The policy's name. `stack`: what the stack's physical names start with."""
    return f"{stack}-boundary"


def boundary_arn(account: str, name: str) -> str:
    """`name`: with its path, if it has one."""
    return f"arn:aws:iam::{account}:policy/{name}"


def boundary_of(config: AwsConfig, account: str, stack: str) -> str:
    """The ARN of what bounds a stack's roles: the policy that is configured, else the stack's own. `stack`: as for
    `boundary_name`."""
    return boundary_arn(account, config.boundary or boundary_name(stack))


def boundary_policy(account: str, stack: str, state: str) -> str:
    """The document: the work of a cluster, and the stack's own models. `state`: the bucket that no role may look into,
    whatever its name."""
    return document(
        allow(WORK, ["*"]),
        allow(["s3:GetObject", "s3:ListBucket"], [f"arn:aws:s3:::{stack}-*"]),
        allow(["kms:Decrypt"], ["*"], Condition={"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}),
        allow(["iam:AddRoleToInstanceProfile"], [f"arn:aws:iam::{account}:instance-profile/eks*"]),
        allow(["iam:PassRole"], [f"arn:aws:iam::{account}:role/{stack}-*"], Condition=TO_NODES),
        allow(["iam:CreateServiceLinkedRole"], [f"arn:aws:iam::{account}:role/aws-service-role/*"]),
        {"Effect": "Deny", "Action": ["s3:*"], "Resource": [f"arn:aws:s3:::{state}", f"arn:aws:s3:::{state}/*"]},
    )


def bounded_by(arn: str) -> pulumi.ResourceTransformation:
    """A transformation that gives every role the boundary, so that none can be forgotten."""

    def transformation(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_ != ROLE:
            return None
        props: dict[str, Any] = {**args.props, "permissions_boundary": arn}
        return pulumi.ResourceTransformationResult(props=props, opts=args.opts)

    return transformation
