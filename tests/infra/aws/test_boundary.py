"""What a role of a stack may do at most: what its roles are granted, and nothing of what an attacker wants."""

import json

import pytest
from slipway.infra.platforms.aws.boundary import boundary_policy
from slipway.infra.platforms.aws.permissions import ATTACHED

from slipway.simulator.iam import Call, allows
from tests.infra.aws.iam import managed
from tests.infra.aws.stacks import VARIANTS

ACCOUNT = "123456789012"
NAME = "slipway-test"
BOUNDARY = boundary_policy(ACCOUNT, NAME, "slipway-test-state")
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
CONTEXT = {"iam:PassedToService": "ec2.amazonaws.com", "kms:ViaService": "s3.us-east-1.amazonaws.com"}


def bounded(action, resource="*", context=CONTEXT):
    """Whether a role with every permission may still do it."""
    return allows([EVERYTHING], Call(action=action, resource=resource, context=context), BOUNDARY)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_role_of_a_stack_has_the_boundary(name, variant):
    roles = variant(name).of_type("Role")
    assert roles
    for each in roles:
        assert each.inputs["permissionsBoundary"] == f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-boundary"


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_role_is_granted_by_its_own_policies_is_within_the_boundary(name, variant):
    for each in variant(name).of_type("RolePolicy"):
        for statement in json.loads(each.inputs["policy"])["Statement"]:
            for action in statement["Action"]:
                for resource in statement["Resource"]:
                    assert bounded(action, resource), f"{each.name}: {action} on {resource}"


def test_what_awss_own_policies_grant_is_within_the_boundary(variant):
    """Else a cluster would stop working at what its policy grew by: then `bootstrap/aws` has to be run again."""
    attached = {
        each.inputs["policyArn"].rpartition("/")[2]
        for name in VARIANTS
        for each in variant(name).of_type("RolePolicyAttachment")
    }
    assert attached == set(ATTACHED)
    places = {
        "iam:AddRoleToInstanceProfile": f"arn:aws:iam::{ACCOUNT}:instance-profile/eks-x",
        "iam:PassRole": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-nodes",
        "iam:CreateServiceLinkedRole": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/spot.amazonaws.com/x",
    }
    granted = managed(sorted(attached))
    assert len(granted) > 100
    # List and describe calls with wildcards of AWS's are asked as such.
    assert [each for each in granted if not bounded(each.replace("*", ""), places.get(each, "*"))] == []


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-x"),
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x"),
        ("iam:AttachRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-x"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/administrator"),
        ("iam:DeleteRolePermissionsBoundary", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-x"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/administrator"),
        ("s3:GetObject", "arn:aws:s3:::somebody-elses/secret"),
        ("s3:GetObject", "arn:aws:s3:::slipway-test-state/.pulumi/stacks/slipway/test.json"),
        ("s3:PutObject", "arn:aws:s3:::slipway-test-models-123456789012/models/digits/model.onnx"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:x"),
        ("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/x"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/x"),
        ("ec2:GetPasswordData", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"),
        ("ec2:ModifySnapshotAttribute", f"arn:aws:ec2:us-east-1:{ACCOUNT}:snapshot/snap-1"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:x"),
        ("kms:ScheduleKeyDeletion", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/x"),
    ],
)  # fmt: skip
def test_a_role_that_was_given_everything_still_may_not(action, resource):
    assert not bounded(action, resource)


def test_a_role_decrypts_what_comes_from_a_bucket_and_nothing_else():
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/x"
    assert bounded("kms:Decrypt", key) and not bounded("kms:Decrypt", key, {})
    assert not bounded("kms:Decrypt", key, {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"})
