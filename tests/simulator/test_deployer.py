"""The AWS stand-in asked as the role that deploys: what that lacks is refused, and the refusal names the action."""

import re

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2
from slipway.infra.names import STACK_TAG

from slipway.simulator.books import Books
from slipway.simulator.faults import CloudError, Faults
from slipway.simulator.provider import StandIn, cloud_for
from slipway.simulator.scenario import Scenario

ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/slipway-test-boundary"
ROLE, POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
EKS = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
CLUSTER = {"name": "slipway-test", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/slipway-test-cluster"}


@pytest.fixture
def aws(tmp_path):
    scenario = Scenario()
    scenario.values["deploys"] = "test"
    found = cloud_for("aws", Books(tmp_path / "books.json"), scenario)
    for name, boundary in (("slipway-test-new", BOUNDARY), ("slipway-test-old", None), ("payroll", None)):
        inputs = {"name": name, **({"permissionsBoundary": boundary} if boundary else {})}
        found.books.put(made(found, ROLE, inputs))
    return found


def made(aws, kind, inputs, stack="slipway/test"):
    return {**aws.entry(kind, inputs, "it"), "tags": {STACK_TAG: stack} if stack else {}}


def refused(aws, verb, entry, before=None):
    """The action that the role lacks; None where it has all."""
    try:
        aws.authorize(verb, entry, before)
    except CloudError as error:
        (action,) = re.findall(r"^AccessDenied: .*slipway-deploy.* is not authorized to perform: (\S+)", str(error))
        return action
    return None


@pytest.mark.parametrize(
    ("kind", "inputs", "action"),
    [
        (ROLE, {"name": "slipway-test-x", "permissionsBoundary": BOUNDARY}, None),
        (ROLE, {"name": "slipway-test-x"}, "iam:CreateRole"),
        (ROLE, {"name": "slipway-test-x", "permissionsBoundary": ADMINISTRATOR}, "iam:CreateRole"),
        (ROLE, {"name": "administrator", "permissionsBoundary": BOUNDARY}, "iam:CreateRole"),
        (POLICY, {"role": "slipway-test-new", "name": "work"}, None),
        (POLICY, {"role": "slipway-test-old", "name": "work"}, "iam:PutRolePolicy"),
        (POLICY, {"role": "payroll", "name": "work"}, "iam:PutRolePolicy"),
        (ATTACHMENT, {"role": "slipway-test-new", "policyArn": EKS}, None),
        (ATTACHMENT, {"role": "slipway-test-new", "policyArn": ADMINISTRATOR}, "iam:AttachRolePolicy"),
        (ATTACHMENT, {"role": "slipway-test-old", "policyArn": EKS}, "iam:AttachRolePolicy"),
        ("aws:eks/cluster:Cluster", CLUSTER, None),
        ("aws:eks/cluster:Cluster", {**CLUSTER, "roleArn": f"arn:aws:iam::{ACCOUNT}:role/payroll"}, "iam:PassRole"),
        ("aws:s3/bucket:Bucket", {"bucket": "slipway-test-models-1"}, None),
        ("aws:s3/bucket:Bucket", {"bucket": "payroll"}, "s3:CreateBucket"),
        ("aws:ecr/repository:Repository", {"name": "slipway-other/digits"}, "ecr:CreateRepository"),
        ("aws:sqs/queue:Queue", {"name": "slipway-test-x"}, "anything"),
    ],
)
def test_what_is_made_without_leave_is_refused_by_the_name_of_the_action(kind, inputs, action, aws):
    known = aws.row(kind) is not None
    entry = made(aws, kind, inputs) if known else {"type": kind, "inputs": inputs, "outputs": {}, "tags": {}}
    assert refused(aws, "make", entry) == action


@pytest.mark.parametrize(
    ("kind", "stack", "action"),
    [
        ("aws:ec2/vpc:Vpc", "slipway/test", None),
        ("aws:ec2/vpc:Vpc", "slipway/other", "ec2:DeleteVpc"),
        ("aws:ec2/vpc:Vpc", None, "ec2:DeleteVpc"),
        ("aws:kms/key:Key", None, "kms:ScheduleKeyDeletion"),
    ],
)
def test_what_is_another_stacks_is_not_taken_away(kind, stack, action, aws):
    assert refused(aws, "remove", made(aws, kind, {}, stack)) == action


def test_a_role_of_an_earlier_version_gets_its_boundary_in_place_and_can_be_changed_only_then(aws):
    old = aws.books.find(ROLE, "slipway-test-old")
    bounded = {**old["inputs"], "permissionsBoundary": BOUNDARY}
    assert aws.replaces(ROLE, old["inputs"], bounded) == (["permissionsBoundary"], [])
    assert refused(aws, "change", {**old, "inputs": bounded}, old["inputs"]) is None
    wider = {**old["inputs"], "assumeRolePolicy": "{}"}
    assert refused(aws, "change", {**old, "inputs": wider}, old["inputs"]) == "iam:UpdateAssumeRolePolicy"
    without = {**old, "inputs": {"name": "slipway-test-old"}}
    assert refused(aws, "change", without, bounded) == "iam:PutRolePermissionsBoundary"


def test_an_administrator_may_do_all_of_it(tmp_path):
    aws = cloud_for("aws", Books(tmp_path / "books.json"), Scenario())
    assert refused(aws, "make", made(aws, ROLE, {"name": "administrator"})) is None


@pytest.mark.parametrize(("name", "there"), [("slipway-test-boundary", True), ("slipway-test-none", False)])
def test_a_role_with_a_boundary_that_the_account_lacks_is_refused(name, there, aws):
    role = made(aws, ROLE, {"name": "x", "permissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/{name}"})
    if there:
        aws.refuse(role)
    else:
        with pytest.raises(CloudError, match=f"NoSuchEntity: Scope ARN: .*{name} does not exist"):
            aws.refuse(role)


def test_the_engine_is_told_of_a_refusal_before_anything_is_made(aws):
    class Context:
        def abort(self, code, says):
            raise CloudError(says, code)

    stand_in = StandIn(aws, Faults([]))
    stand_in.default_tags[STACK_TAG] = "slipway/test"
    before = aws.books.all()
    urn = "urn:pulumi:test::slipway::aws:iam/role:Role::x"
    properties = struct_pb2.Struct()
    properties.update({"name": "administrator"})
    with pytest.raises(CloudError, match="not authorized to perform: iam:CreateRole on resource: arn:.*administrator"):
        stand_in.Create(provider_pb2.CreateRequest(urn=urn, properties=properties), Context())
    with pytest.raises(CloudError, match="iam:ListInstanceProfilesForRole on resource: arn:.*payroll"):
        stand_in.Delete(provider_pb2.DeleteRequest(urn=urn, id="payroll"), Context())
    with pytest.raises(CloudError, match="iam:GetRole"):
        stand_in.Read(provider_pb2.ReadRequest(urn=urn, id="payroll"), Context())
    wider = struct_pb2.Struct()
    wider.update({"name": "payroll", "assumeRolePolicy": "{}"})
    with pytest.raises(CloudError, match="iam:UpdateAssumeRolePolicy"):
        stand_in.Update(provider_pb2.UpdateRequest(urn=urn, id="payroll", news=wider), Context())
    assert aws.books.all() == before
