"""A model that is judged, and a small cluster that costs something: what the comments are about."""

import json

import pulumi
import pulumi_aws as aws
from slipway.infra.config.cost import CostConfig
from slipway.infra.cost.needs import Pricing
from slipway.infra.cost.stack import Cost
from slipway.infra.platforms.table import billing
from slipway.infra.resources.artifact import ModelArtifact, ModelArtifactArgs, known_model

config = pulumi.Config("slipway")
limit = config.get_int("maxMonthlyUsd") or 0
pricing = Pricing(billing=billing(), regions={"aws": "us-east-1"}, cloud="aws")
cost = Cost(CostConfig(), pricing, limit)

tags = {"slipway:stack": "slipway/example", "slipway:name": "x"}
model = known_model(config.require("model"), None)
artifact = ModelArtifact(
    "digits", ModelArtifactArgs(model=config.require("model"), inputs_key=model.inputs_key, accept_worse=False)
)
key = aws.kms.Key("key", enable_key_rotation=True, tags=tags)
bucket = aws.s3.Bucket("models", bucket="example-models", tags=tags)
aws.s3.BucketServerSideEncryptionConfiguration(
    "models",
    bucket=bucket.bucket,
    rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn}}],
)
if not config.get_bool("exposed"):
    aws.s3.BucketPublicAccessBlock(
        "models",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
else:
    aws.s3.BucketPolicy(
        "models",
        bucket=bucket.bucket,
        policy=json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]}),
    )
vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags=tags)
subnets = [
    aws.ec2.Subnet(
        f"subnet-{zone}",
        vpc_id=vpc.id,
        cidr_block=f"10.0.{index}.0/24",
        availability_zone=f"us-east-1{zone}",
        tags=tags,
    ).id
    for index, zone in enumerate("ab")
]
cluster = aws.eks.Cluster(
    "cluster",
    name="example",
    role_arn="arn:aws:iam::123456789012:role/cluster",
    vpc_config={"subnet_ids": subnets, "endpoint_public_access": False},
    encryption_config={"provider": {"key_arn": key.arn}, "resources": ["secrets"]},
    tags=tags,
)
aws.eks.NodeGroup(
    "gpu",
    cluster_name=cluster.name,
    node_group_name="gpu",
    node_role_arn="arn:aws:iam::123456789012:role/nodes",
    subnet_ids=subnets,
    ami_type="AL2023_x86_64_NVIDIA",
    instance_types=["g6.xlarge"],
    scaling_config={"min_size": 0, "desired_size": 1, "max_size": config.get_int("gpus") or 2},
    taints=[{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
    tags=tags,
)
monthly, per_1k = cost.of({"digits": model.folder})
pulumi.export("monthlyCostUsd", monthly)
pulumi.export("costPer1kUsd", per_1k)
