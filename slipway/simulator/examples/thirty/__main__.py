"""Thirty AWS resources in chains of six, by fixed names and by none: what the fault table kills and recovers."""

import json

import pulumi
import pulumi_aws as aws

STACK = f"{pulumi.get_project()}/{pulumi.get_stack()}"


def tagged(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """Names stack and resource on everything that takes tags: `slipway recover` finds it by them."""
    if not args.type_.startswith("aws:") or not hasattr(type(args.resource), "tags"):
        return None
    tags = {"slipway:stack": STACK, "slipway:name": args.name}
    return pulumi.ResourceTransformationResult(props={**args.props, "tags": tags}, opts=args.opts)


pulumi.runtime.register_stack_transformation(tagged)
trust = json.dumps({"Version": "2012-10-17", "Statement": []})

vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id)
routes = aws.ec2.RouteTable("routes", vpc_id=vpc.id)
aws.ec2.Route("out", route_table_id=routes.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
subnets = []
for index, zone in enumerate("abda"):
    subnet = aws.ec2.Subnet(
        f"subnet-{index}", vpc_id=vpc.id, cidr_block=f"10.0.{index}.0/24", availability_zone=f"us-east-1{zone}"
    )
    aws.ec2.RouteTableAssociation(f"subnet-{index}", subnet_id=subnet.id, route_table_id=routes.id)
    subnets.append(subnet.id)
address = aws.ec2.Eip("nat", domain="vpc")
aws.ec2.NatGateway(
    "nat", allocation_id=address.id, subnet_id=subnets[0], opts=pulumi.ResourceOptions(depends_on=[gateway])
)

key = aws.kms.Key("key", enable_key_rotation=True)
aws.kms.Alias("key", name="alias/thirty", target_key_id=key.key_id)
aws.ecr.Repository("images", name="thirty", encryption_configurations=[{"encryption_type": "KMS", "kms_key": key.arn}])
bucket = aws.s3.Bucket("models", bucket="thirty-models")
aws.s3.BucketVersioning("models", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"})
aws.s3.BucketPublicAccessBlock("models", bucket=bucket.bucket, block_public_acls=True)

role = aws.iam.Role("cluster", name="thirty-cluster", assume_role_policy=trust)
aws.iam.RolePolicyAttachment("cluster", role=role.name, policy_arn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
aws.cloudwatch.LogGroup("cluster", name="/aws/eks/thirty/cluster", retention_in_days=30)
aws.s3.BucketOwnershipControls("models", bucket=bucket.bucket, rule={"object_ownership": "BucketOwnerEnforced"})
cluster = aws.eks.Cluster("cluster", name="thirty", role_arn=role.arn, vpc_config={"subnet_ids": subnets})
workers = aws.iam.Role("workers", name="thirty-workers", assume_role_policy=trust)
aws.iam.RolePolicyAttachment(
    "workers", role=workers.name, policy_arn="arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
)
aws.eks.NodeGroup(
    "cpu",
    cluster_name=cluster.name,
    node_group_name="cpu",
    node_role_arn=workers.arn,
    subnet_ids=subnets,
    scaling_config={"desired_size": 1, "min_size": 0, "max_size": 2},
)
aws.eks.Addon("agent", cluster_name=cluster.name, addon_name="eks-pod-identity-agent")
aws.eks.PodIdentityAssociation(
    "service", cluster_name=cluster.name, namespace="slipway", service_account="digits", role_arn=workers.arn
)
