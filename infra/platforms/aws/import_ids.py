"""The ids by which `pulumi import` finds what a killed update has created in AWS."""

from __future__ import annotations

from slipway.infra.names import IDENTITY_TAG, NAME_TAG, STACK_TAG
from slipway.infra.platforms.row import Recovery

# From a resource's own inputs, its provider's (region, project) and the account, as the registry's pages say.
BY_NAME = {
    "aws:amp/alertManagerDefinition:AlertManagerDefinition": "{workspaceId}",
    "aws:amp/ruleGroupNamespace:RuleGroupNamespace": (
        "arn:aws:aps:{region}:{account}:rulegroupsnamespace/{workspaceId}/{name}"
    ),
    "aws:budgets/budget:Budget": "{account}:{name}",
    "aws:cloudwatch/dashboard:Dashboard": "{dashboardName}",
    "aws:cloudwatch/logGroup:LogGroup": "{name}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "{name}",
    "aws:ec2/route:Route": "{routeTableId}_{destinationCidrBlock}",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "{subnetId}/{routeTableId}",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "{repository}",
    "aws:ecr/repository:Repository": "{name}",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "{repository}",
    "aws:eks/accessEntry:AccessEntry": "{clusterName}:{principalArn}",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": "{clusterName}#{principalArn}#{policyArn}",
    "aws:eks/addon:Addon": "{clusterName}:{addonName}",
    "aws:eks/cluster:Cluster": "{name}",
    "aws:eks/nodeGroup:NodeGroup": "{clusterName}:{nodeGroupName}",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "arn:aws:iam::{account}:oidc-provider/{url}",
    "aws:iam/policy:Policy": "arn:aws:iam::{account}:policy/{name}",
    "aws:iam/role:Role": "{name}",
    "aws:iam/rolePolicy:RolePolicy": "{role}:{name}",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "{role}/{policyArn}",
    "aws:kms/alias:Alias": "{name}",
    "aws:route53/record:Record": "{zoneId}_{name}_{type}",
    "aws:s3/bucket:Bucket": "{bucket}",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "{bucket}",
    "aws:s3/bucketLogging:BucketLogging": "{bucket}",
    "aws:s3/bucketObjectv2:BucketObjectv2": "{bucket}/{key}",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "{bucket}",
    "aws:s3/bucketPolicy:BucketPolicy": "{bucket}",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "{bucket}",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "{bucket}",
    "aws:s3/bucketVersioning:BucketVersioning": "{bucket}",
    "aws:sns/topic:Topic": "arn:aws:sns:{region}:{account}:{name}",
    "aws:sns/topicPolicy:TopicPolicy": "{arn}",
    "aws:wafv2/webAclAssociation:WebAclAssociation": "{webAclArn},{resourceArn}",
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "{resourceArn}",
}

# From what TAGGED finds under the stack's tag, an ARN: what has to match, and the id in it.
BY_TAG = {
    "aws:acm/certificate:Certificate": r"(arn:.*:certificate/.*)",
    "aws:amp/scraper:Scraper": r":scraper/(.*)",
    "aws:amp/workspace:Workspace": r":workspace/(.*)",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": r":security-group/(.*)",
    "aws:ec2/eip:Eip": r":elastic-ip/(.*)",
    "aws:ec2/flowLog:FlowLog": r":vpc-flow-log/(.*)",
    "aws:ec2/internetGateway:InternetGateway": r":internet-gateway/(.*)",
    "aws:ec2/launchTemplate:LaunchTemplate": r":launch-template/(.*)",
    "aws:ec2/natGateway:NatGateway": r":natgateway/(.*)",
    "aws:ec2/routeTable:RouteTable": r":route-table/(.*)",
    "aws:ec2/securityGroup:SecurityGroup": r":security-group/(.*)",
    "aws:ec2/subnet:Subnet": r":subnet/(.*)",
    "aws:ec2/vpc:Vpc": r":vpc/(.*)",
    "aws:ec2/vpcEndpoint:VpcEndpoint": r":vpc-endpoint/(.*)",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": r":podidentityassociation/(.*)",
    "aws:kms/key:Key": r":key/(.*)",
    "aws:lb/listener:Listener": r"(arn:.*:listener/.*)",
    "aws:lb/listenerRule:ListenerRule": r"(arn:.*:listener-rule/.*)",
    "aws:lb/loadBalancer:LoadBalancer": r"(arn:.*:loadbalancer/.*)",
    "aws:lb/targetGroup:TargetGroup": r"(arn:.*:targetgroup/.*)",
    "aws:wafv2/ipSet:IpSet": r":regional/ipset/(?P<name>.*)/(?P<id>.*)",
    "aws:wafv2/webAcl:WebAcl": r":regional/webacl/(?P<name>.*)/(?P<id>.*)",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": r":security-group-rule/(.*)",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": r":security-group-rule/(.*)",
}
# To create them once more changes nothing: the first is a wait, and the second is answered with the one that is there.
REPEATABLE = frozenset(
    {"aws:acm/certificateValidation:CertificateValidation", "aws:sns/topicSubscription:TopicSubscription"}
)

TAGGED = f"""
import json, os
import pulumi_aws as aws

filters = [{{"key": "{STACK_TAG}", "values": [os.environ["SLIPWAY_STACK"]]}}]
found = aws.resourcegroupstaggingapi.get_resources(tag_filters=filters).resource_tag_mapping_lists
with open(os.environ["SLIPWAY_ANSWER"], "w") as answer:
    json.dump([[each.resource_arn, *(each.tags.get(tag, "") for tag in ("{NAME_TAG}", "{IDENTITY_TAG}"))]
               for each in found], answer)
"""

RECOVERY = Recovery(
    by_name=BY_NAME,
    by_tag=BY_TAG,
    repeatable=REPEATABLE,
    tagged=TAGGED,
    clusters=("aws:eks/cluster:Cluster",),
    awaited=("aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup"),
)
