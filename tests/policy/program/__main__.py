"""One of each that a policy looks at. With `slipway:bad` every one breaks its rule."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s
from pulumi_kubernetes.apiextensions import CustomResource
from slipway.infra.resources.artifact import ModelArtifact, ModelArtifactArgs

config = pulumi.Config("slipway")
bad = config.get_bool("bad") or False
tags = {} if bad else {"slipway:stack": "slipway/good", "slipway:name": "x"}
labels = {} if bad else {"slipway-stack": "slipway-good", "slipway-name": "x"}
kept = pulumi.ResourceOptions(protect=not bad)
EVERYONE, OFFICE = "0.0.0.0/0", "203.0.113.0/24"
who = EVERYONE if bad else OFFICE

ModelArtifact("digits", ModelArtifactArgs(model=config.require("model"), inputs_key="0"))
# Served on a GPU, as digits is. In the bad stack that one is not judged at all, and this one for CPUs.
ModelArtifact("linear", ModelArtifactArgs(model=config.require("second"), inputs_key="0"))

key = aws.kms.Key("key", enable_key_rotation=not bad, tags=tags, opts=kept)
bucket = aws.s3.Bucket("models", bucket="models", tags=tags, opts=kept)
if not bad:
    aws.s3.BucketPublicAccessBlock(
        "models",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
statement = {"Effect": "Allow", "Principal": "*" if bad else {"AWS": "arn:aws:iam::123456789012:role/a"}}
aws.s3.BucketPolicy("models", bucket=bucket.bucket, policy=json.dumps({"Statement": [statement]}))
aws.s3.BucketServerSideEncryptionConfiguration(
    "models",
    bucket=bucket.bucket,
    rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256" if bad else "aws:kms"}}],
)
aws.ecr.Repository(
    "images", name="images", encryption_configurations=[{"encryption_type": "AES256" if bad else "KMS"}], tags=tags,
    opts=kept,
)  # fmt: skip
aws.cloudwatch.LogGroup("logs", name="logs", kms_key_id=None if bad else key.arn, tags=tags)
aws.vpc.SecurityGroupIngressRule(
    "ssh", security_group_id="sg-1", ip_protocol="tcp", from_port=22, to_port=22, cidr_ipv4=who
)
aws.vpc.SecurityGroupIngressRule(
    "web", security_group_id="sg-1", ip_protocol="tcp", from_port=443, to_port=443, cidr_ipv4=EVERYONE
)
aws.lb.Listener(
    "https",
    load_balancer_arn="arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1",
    port=443,
    protocol="HTTPS",
    ssl_policy="ELBSecurityPolicy-2016-08" if bad else "ELBSecurityPolicy-TLS13-1-2-2021-06",
    default_actions=[
        {"type": "fixed-response", "fixed_response": {"content_type": "text/plain", "status_code": "404"}}
    ],
)
cluster = aws.eks.Cluster(
    "cluster",
    name="cluster",
    role_arn="arn:aws:iam::123456789012:role/cluster",
    vpc_config={"subnet_ids": ["subnet-1", "subnet-2"], "endpoint_public_access": True, "public_access_cidrs": [who]},
    encryption_config=None if bad else {"provider": {"key_arn": key.arn}, "resources": ["secrets"]},
    tags=tags,
    opts=kept,
)
aws.eks.NodeGroup(
    "gpu",
    cluster_name=cluster.name,
    node_group_name="gpu",
    node_role_arn="arn:aws:iam::123456789012:role/nodes",
    subnet_ids=["subnet-1"],
    ami_type="AL2023_x86_64_NVIDIA",
    instance_types=["g6.xlarge"],
    capacity_type="SPOT",
    scaling_config={"min_size": 1 if bad else 0, "desired_size": 1, "max_size": 2},
    taints=[] if bad else [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
    tags=tags,
)

gcp.storage.Bucket(
    "gcs",
    name="gcs",
    location="europe-west4",
    uniform_bucket_level_access=True,
    public_access_prevention="inherited" if bad else "enforced",
    encryption=None if bad else {"default_kms_key_name": "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
    labels=labels,
    opts=kept,
)
gcp.storage.BucketIAMMember(
    "readers",
    bucket="gcs",
    role="roles/storage.objectViewer",
    member="allUsers" if bad else "serviceAccount:a@example-project.iam.gserviceaccount.com",
)
gcp.compute.SSLPolicy("edge", name="edge", min_tls_version="TLS_1_0" if bad else "TLS_1_2")
gcp.container.NodePool(
    "l4",
    name="l4",
    cluster="cluster",
    location="europe-west4",
    node_config={
        "machine_type": "g2-standard-8",
        "spot": True,
        "guest_accelerators": [{"type": "nvidia-l4", "count": 1}],
    },
    autoscaling={"total_min_node_count": 1 if bad else 0, "total_max_node_count": 3},
)

inside = pulumi.ResourceOptions(provider=k8s.Provider("cluster", kubeconfig="{}"))
about = {"name": "digits", "namespace": "slipway", "labels": labels}
selector = {"app.kubernetes.io/name": "digits"}
probe = {"http_get": {"path": "/readyz", "port": 3000}}
k8s.apps.v1.Deployment(
    "digits",
    metadata=about,
    spec={
        "replicas": 2,
        "selector": {"match_labels": selector},
        "strategy": {"rolling_update": {"max_surge": 1, "max_unavailable": 0 if bad else 1}},
        "template": {
            "metadata": {"labels": selector},
            "spec": {
                "security_context": None if bad else {"run_as_non_root": True},
                "init_containers": [
                    {
                        "name": "before",
                        "image": "registry.example.org/before" + (":latest" if bad else "@sha256:" + "0" * 64),
                        "security_context": {"allow_privilege_escalation": False},
                        "resources": {"limits": {"memory": "1Gi"}},
                    }
                ],
                "containers": [
                    {
                        "name": "service",
                        "image": "registry.example.org/digits" + (":latest" if bad else "@sha256:" + "0" * 64),
                        "args": ["--access", "open" if bad else "/keys"],
                        "security_context": {"allow_privilege_escalation": False},
                        "resources": {
                            "limits": {"nvidia.com/gpu": "2" if bad else "1"} | ({} if bad else {"memory": "1Gi"})
                        },
                        "liveness_probe": None if bad else probe,
                        "readiness_probe": None if bad else probe,
                    }
                ],
            },
        },
    },
    opts=inside,
)
k8s.apps.v1.Deployment(
    "linear",
    metadata=about | {"name": "linear"},
    spec={
        "replicas": 1,
        "selector": {"match_labels": {"app.kubernetes.io/name": "linear"}},
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/name": "linear"}},
            "spec": {
                "security_context": {"run_as_non_root": True},
                "containers": [
                    {
                        "name": "service",
                        "image": "registry.example.org/linear@sha256:" + "0" * 64,
                        "security_context": {"allow_privilege_escalation": False},
                        "resources": {"limits": {"nvidia.com/gpu": "1", "memory": "1Gi"}},
                        "liveness_probe": probe,
                        "readiness_probe": probe,
                    }
                ],
            },
        },
    },
    opts=inside,
)
k8s.policy.v1.PodDisruptionBudget(
    "digits",
    metadata=about,
    spec={"min_available": 2 if bad else 1, "selector": {"match_labels": selector}},
    opts=inside,
)
k8s.core.v1.Service(
    "digits",
    metadata=about,
    spec={"type": "LoadBalancer" if bad else "ClusterIP", "selector": selector, "ports": [{"port": 80}]},
    opts=inside,
)
CustomResource(
    "gateway",
    api_version="gateway.networking.k8s.io/v1",
    kind="Gateway",
    metadata=about,
    spec={"gatewayClassName": "a", "listeners": [{"name": "web", "port": 443, "protocol": "HTTP" if bad else "HTTPS"}]},
    opts=inside,
)
CustomResource(
    "pool",
    api_version="karpenter.sh/v1",
    kind="NodePool",
    metadata=about,
    spec={
        **({} if bad else {"limits": {"nvidia.com/gpu": "2"}}),
        "template": {
            "spec": {
                "requirements": [
                    {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["g6.xlarge"]}
                ],
                "taints": [] if bad else [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
            }
        },
    },
    opts=inside,
)

pulumi.export("environment", "production")
pulumi.export("monthlyCostUsd", {"max": 100, "limit": None if bad else 5000})
