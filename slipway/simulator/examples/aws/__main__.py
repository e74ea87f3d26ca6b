"""A small EKS stack: network, registry, bucket, key, cluster, node pool, identity. An example for the simulator."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

STACK = f"{pulumi.get_project()}/{pulumi.get_stack()}"
NAME = "example"


def tagged(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """Names stack and resource on everything that takes tags: `slipway recover` finds it by them."""
    if not args.type_.startswith("aws:") or not hasattr(type(args.resource), "tags"):
        return None
    tags = {"slipway:stack": STACK, "slipway:name": args.name}
    return pulumi.ResourceTransformationResult(props={**args.props, "tags": tags}, opts=args.opts)


def assumed_by(service: str, *actions: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": list(actions or ("sts:AssumeRole",))}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


pulumi.runtime.register_stack_transformation(tagged)

account = aws.get_caller_identity().account_id
zones = aws.get_availability_zones(state="available").names[:2]

vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", enable_dns_hostnames=True)
gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id)
routes = aws.ec2.RouteTable("routes", vpc_id=vpc.id)
aws.ec2.Route("out", route_table_id=routes.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
subnets = []
for index, zone in enumerate(zones):
    subnet = aws.ec2.Subnet(f"subnet-{index}", vpc_id=vpc.id, cidr_block=f"10.0.{index}.0/24", availability_zone=zone)
    aws.ec2.RouteTableAssociation(f"route-{index}", subnet_id=subnet.id, route_table_id=routes.id)
    subnets.append(subnet.id)

key = aws.kms.Key("key", description="Model bucket, registry and cluster secrets", enable_key_rotation=True)
aws.kms.Alias("key", name=f"alias/{NAME}", target_key_id=key.key_id)

repository = aws.ecr.Repository(
    "images",
    name=NAME,
    image_tag_mutability="IMMUTABLE",
    image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
    encryption_configurations=[aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=key.arn)],
)

bucket = aws.s3.Bucket("models", bucket=f"{NAME}-models-{account}")
aws.s3.BucketVersioning("models", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"})
aws.s3.BucketServerSideEncryptionConfiguration(
    "models",
    bucket=bucket.bucket,
    rules=[
        {
            "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
            "bucket_key_enabled": True,
        }
    ],
)
aws.s3.BucketPublicAccessBlock(
    "models",
    bucket=bucket.bucket,
    block_public_acls=True,
    block_public_policy=True,
    ignore_public_acls=True,
    restrict_public_buckets=True,
)

cluster_role = aws.iam.Role("cluster", name=f"{NAME}-cluster", assume_role_policy=assumed_by("eks.amazonaws.com"))
aws.iam.RolePolicyAttachment(
    "cluster", role=cluster_role.name, policy_arn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
)
logs = aws.cloudwatch.LogGroup("cluster", name=f"/aws/eks/{NAME}/cluster", retention_in_days=365, kms_key_id=key.arn)
cluster = aws.eks.Cluster(
    "cluster",
    name=NAME,
    role_arn=cluster_role.arn,
    vpc_config=aws.eks.ClusterVpcConfigArgs(
        subnet_ids=subnets, endpoint_private_access=True, endpoint_public_access=False
    ),
    access_config=aws.eks.ClusterAccessConfigArgs(
        authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
    ),
    encryption_config=aws.eks.ClusterEncryptionConfigArgs(
        provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn), resources=["secrets"]
    ),
    enabled_cluster_log_types=["api", "audit", "authenticator", "controllerManager", "scheduler"],
    opts=pulumi.ResourceOptions(depends_on=[logs]),
)
deployer = f"arn:aws:iam::{account}:role/deployer"
entry = aws.eks.AccessEntry("deployer", cluster_name=cluster.name, principal_arn=deployer)
admin = aws.eks.AccessPolicyAssociation(
    "deployer",
    cluster_name=cluster.name,
    principal_arn=entry.principal_arn,
    policy_arn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
    access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
)

node_role = aws.iam.Role("nodes", name=f"{NAME}-nodes", assume_role_policy=assumed_by("ec2.amazonaws.com"))
for policy in ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"):
    aws.iam.RolePolicyAttachment(f"nodes-{policy}", role=node_role.name, policy_arn=f"arn:aws:iam::aws:policy/{policy}")
nodes = aws.eks.NodeGroup(
    "gpu",
    cluster_name=cluster.name,
    node_group_name="gpu",
    node_role_arn=node_role.arn,
    subnet_ids=subnets,
    ami_type="AL2023_x86_64_NVIDIA",
    instance_types=["g6.xlarge"],
    scaling_config=aws.eks.NodeGroupScalingConfigArgs(desired_size=1, min_size=0, max_size=2),
    taints=[aws.eks.NodeGroupTaintArgs(key="nvidia.com/gpu", value="present", effect="NO_SCHEDULE")],
)
aws.eks.Addon("pod-identity", cluster_name=cluster.name, addon_name="eks-pod-identity-agent")

service_role = aws.iam.Role(
    "service",
    name=f"{NAME}-service",
    assume_role_policy=assumed_by("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"),
)
aws.iam.RolePolicy(
    "service",
    name="read-models",
    role=service_role.name,
    policy=bucket.arn.apply(
        lambda arn: json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{arn}/models/digits/*"]}],
            }
        )
    ),
)
aws.eks.PodIdentityAssociation(
    "service", cluster_name=cluster.name, namespace="slipway", service_account="digits", role_arn=service_role.arn
)

kubeconfig = pulumi.Output.json_dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "cluster",
        "clusters": [
            {
                "name": "cluster",
                "cluster": {
                    "server": cluster.endpoint,
                    "certificate-authority-data": cluster.certificate_authority.apply(lambda ca: ca.data),
                },
            }
        ],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "deployer"}}],
        "users": [
            {
                "name": "deployer",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1",
                        "command": "aws",
                        "args": ["eks", "get-token", "--cluster-name", NAME],
                    }
                },
            }
        ],
    }
)
inside = kubernetes.Provider("cluster", kubeconfig=kubeconfig, opts=pulumi.ResourceOptions(depends_on=[admin, nodes]))
kubernetes.core.v1.Namespace(
    "slipway",
    metadata=kubernetes.meta.v1.ObjectMetaArgs(
        name="slipway", labels={"pod-security.kubernetes.io/enforce": "restricted"}
    ),
    opts=pulumi.ResourceOptions(provider=inside),
)

pulumi.export("clusterName", cluster.name)
pulumi.export("repository", repository.repository_url)
