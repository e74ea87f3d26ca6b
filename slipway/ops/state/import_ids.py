"""The ids by which `pulumi import` finds what a killed update has created."""

from __future__ import annotations

import re
from typing import Any

STACK_TAG = "slipway:stack"
NAME_TAG = "slipway:name"
# As Google has them: its labels hold no colon.
STACK_LABEL = "slipway-stack"
NAME_LABEL = "slipway-name"

# From a resource's own inputs, its provider's (region, project) and the account, as the registry's pages say.
BY_NAME = {
    "aws:budgets/budget:Budget": "{account}:{name}",
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
    "gcp:artifactregistry/repository:Repository": "projects/{project}/locations/{location}/repositories/{repositoryId}",
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": (
        "projects/{project}/locations/{location}/repositories/{repository} {role} {member}"
    ),
    "gcp:certificatemanager/certificate:Certificate": "projects/{project}/locations/{location}/certificates/{name}",
    "gcp:certificatemanager/certificateMap:CertificateMap": (
        "projects/{project}/locations/global/certificateMaps/{name}"
    ),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": (
        "projects/{project}/locations/global/certificateMaps/{map}/certificateMapEntries/{name}"
    ),
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": (
        "projects/{project}/locations/{location}/dnsAuthorizations/{name}"
    ),
    "gcp:compute/address:Address": "projects/{project}/regions/{region}/addresses/{name}",
    "gcp:compute/firewall:Firewall": "projects/{project}/global/firewalls/{name}",
    "gcp:compute/globalAddress:GlobalAddress": "projects/{project}/global/addresses/{name}",
    "gcp:compute/network:Network": "projects/{project}/global/networks/{name}",
    "gcp:compute/router:Router": "projects/{project}/regions/{region}/routers/{name}",
    "gcp:compute/routerNat:RouterNat": "{project}/{region}/{router}/{name}",
    "gcp:compute/sSLPolicy:SSLPolicy": "projects/{project}/global/sslPolicies/{name}",
    "gcp:compute/securityPolicy:SecurityPolicy": "projects/{project}/global/securityPolicies/{name}",
    "gcp:compute/subnetwork:Subnetwork": "projects/{project}/regions/{region}/subnetworks/{name}",
    "gcp:compute/regionSslPolicy:RegionSslPolicy": "projects/{project}/regions/{region}/sslPolicies/{name}",
    "gcp:container/cluster:Cluster": "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}",
    "gcp:dns/recordSet:RecordSet": "{project}/{managedZone}/{name}/{type}",
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": (
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"
    ),
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": (
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"
        "/providers/{workloadIdentityPoolProviderId}"
    ),
    "gcp:kms/cryptoKey:CryptoKey": "{keyRing}/cryptoKeys/{name}",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": "{cryptoKeyId} {role} {member}",
    "gcp:kms/keyRing:KeyRing": "projects/{project}/locations/{location}/keyRings/{name}",
    "gcp:projects/iAMMember:IAMMember": "{project} {role} {member}",
    "gcp:projects/service:Service": "{project}/{service}",
    "gcp:serviceaccount/account:Account": (
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com"
    ),
    "gcp:storage/bucket:Bucket": "{name}",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "b/{bucket} {role} {member}",
    "gcp:storage/managedFolder:ManagedFolder": "{bucket}/{name}",
    "gcp:storage/managedFolderIamMember:ManagedFolderIamMember": (
        "b/{bucket}/managedFolders/{managedFolder} {role} {member}"
    ),
}  # fmt: skip

# From what lookup.py finds under STACK_TAG and NAME_TAG, an ARN or Google's name: what has to match, and the id in it.
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
    "gcp:monitoring/alertPolicy:AlertPolicy": r"^(projects/.*/alertPolicies/.*)",
    "gcp:monitoring/dashboard:Dashboard": r"^(projects/.*/dashboards/.*)",
    "gcp:monitoring/notificationChannel:NotificationChannel": r"^(projects/.*/notificationChannels/.*)",
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": r"^(projects/.*/uptimeCheckConfigs/.*)",
}

# To create them once more changes nothing: the first is a wait, and the second is answered with the one that is there.
REPEATABLE = frozenset(
    {
        "aws:acm/certificateValidation:CertificateValidation",
        "aws:sns/topicSubscription:TopicSubscription",
        "gcp:projects/serviceIdentity:ServiceIdentity",
    }
)


def is_findable(kind: str) -> bool:
    """Whether `import_id` has a rule for the type."""
    return kind in BY_NAME or kind in BY_TAG or kind.startswith("kubernetes:")


def import_id(
    kind: str, name: str, inputs: dict[str, Any], place: dict[str, Any], tagged: list[tuple[str, str]]
) -> str:
    """The id under which a resource would be there; empty where nothing names it yet.

    `place`: account, project and region. `tagged`: (ARN or Google's name, logical name) of what has the stack's tag.
    """
    if kind.startswith("kubernetes:"):
        metadata = inputs.get("metadata") or {}
        return "/".join(metadata[key] for key in ("namespace", "name") if metadata.get(key))
    if template := BY_NAME.get(kind):
        values = {**place, **{key: each for key, each in inputs.items() if isinstance(each, str)}}
        values.setdefault("location", values.get("region", ""))
        named = re.findall(r"{(\w+)}", template)
        return template.format(**values) if all(values.get(each) for each in named) else ""
    for arn, tag in tagged:
        found = re.search(BY_TAG.get(kind, "(?!)"), arn)
        if found and tag == name and "id" in found.groupdict():
            return f"{found['id']}/{found['name']}/REGIONAL"
        if found and tag == name:
            # A pod identity association is imported as `cluster,id`; of AWS nothing else has a slash in its id.
            return found[1] if found[1].startswith(("arn:", "projects/")) else found[1].replace("/", ",")
    return ""
