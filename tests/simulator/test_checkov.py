"""The adapter to checkov: a stack that is bad on purpose must trip what it is bad at."""

import pytest

from slipway.simulator import checkov
from slipway.simulator.tfplan import plan, terraform_type, terraform_values


def resource(token, logical, depends=None, /, **inputs):
    return {
        "type": token,
        "urn": f"urn:pulumi:bad::bad::{token}::{logical}",
        "inputs": inputs,
        "propertyDependencies": {key: [urn] for key, urn in (depends or {}).items()},
    }


BUCKET = resource("aws:s3/bucket:Bucket", "open", bucket="open")
ANYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
API = {"subnetIds": ["s"], "endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]}
POD = {"containers": [{"name": "a", "image": "a:latest", "securityContext": {"privileged": True}}]}
LABELS = {"app": "bad"}
SPEC = {"selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}, "spec": POD}}
MANIFEST = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "root"}, "spec": SPEC}
BAD = [
    BUCKET,
    resource(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "open", {"bucket": BUCKET["urn"]}, bucket="open"
    ),
    resource("aws:ecr/repository:Repository", "open", imageTagMutability="MUTABLE"),
    resource("aws:kms/key:Key", "still"),
    resource("aws:eks/cluster:Cluster", "open", roleArn="r", vpcConfig=API),
    resource("aws:iam/policy:Policy", "all", policy=ANYTHING),
    resource("aws:ec2/subnet:Subnet", "open", vpcId="v", cidrBlock="10.0.0.0/24", mapPublicIpOnLaunch=True),
    resource("gcp:container/cluster:Cluster", "open", name="open", location="europe-west4"),
    resource("gcp:storage/bucket:Bucket", "open", name="open", location="EU"),
    resource("kubernetes:apps/v1:Deployment", "root", **MANIFEST),
]
TRIPS = {
    "CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_51", "CKV_AWS_136", "CKV_AWS_163", "CKV_AWS_7", "CKV_AWS_37", "CKV_AWS_38",
    "CKV_AWS_39", "CKV_AWS_58", "CKV_AWS_62", "CKV_AWS_63", "CKV_AWS_130", "CKV_GCP_25", "CKV_GCP_29", "CKV_GCP_64",
    "CKV_GCP_114", "CKV_K8S_16",
}  # fmt: skip


@pytest.fixture(scope="module")
def findings():
    return checkov.check(BAD)


def test_a_stack_that_is_bad_on_purpose_trips_the_fixed_list(findings):
    assert sorted(TRIPS - findings.ids) == []


def test_every_declared_resource_is_looked_at(findings):
    assert findings.uncounted == []


def test_nested_objects_are_blocks_and_maps_stay_maps():
    group = resource(
        "aws:eks/nodeGroup:NodeGroup",
        "gpu",
        scalingConfig={"desiredSize": 1},
        tags={"aB": "c"},
        taints=[{"key": "gpu"}],
    )
    assert terraform_values(group) == {
        "scaling_config": [{"desired_size": 1}],
        "tags": {"aB": "c"},
        "taint": [{"key": "gpu"}],
    }


def test_a_reference_joins_what_depends_on_each_other():
    configured = plan(BAD)["configuration"]["root_module"]["resources"]
    assert configured[1]["expressions"] == {"bucket": {"references": ["aws_s3_bucket.open.id", "aws_s3_bucket.open"]}}


@pytest.mark.parametrize(
    ("token", "named"),
    [
        ("aws:ec2/vpc:Vpc", "aws_vpc"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws_vpc_security_group_ingress_rule"),
        ("aws:s3/bucketServerSideEncryptionConfiguration:X", "aws_s3_bucket_server_side_encryption_configuration"),
        ("aws:lb/targetGroup:TargetGroup", "aws_lb_target_group"),
        ("gcp:container/nodePool:NodePool", "google_container_node_pool"),
        ("gcp:projects/iAMMember:IAMMember", "google_project_iam_member"),
        ("gcp:storage/bucketIAMMember:BucketIAMMember", "google_storage_bucket_iam_member"),
        ("gcp:serviceaccount/account:Account", "google_service_account"),
    ],
)
def test_types_have_the_names_that_terraform_gives_them(token, named):
    assert terraform_type(token) == named
