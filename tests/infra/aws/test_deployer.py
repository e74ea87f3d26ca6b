"""The role that deploys: all that the stacks' resources take, no action beside it, and no way to more."""

import json
import re

import pytest
from slipway.infra.names import STACK_TAG
from slipway.infra.platforms.aws.boundary import boundary_policy
from slipway.infra.platforms.aws.ci_policies import POLICY_CHARACTERS, CiArgs, deploying, itself, looking
from slipway.infra.platforms.aws.permissions import ATTACHED, OWN, PASS, SERVICE_LINKED, VERBS, granted, table

from slipway.simulator.books import Books
from slipway.simulator.deployer import Deployer
from slipway.simulator.iam import Call, allows
from slipway.simulator.kube.values import plain
from slipway.simulator.provider import cloud_for
from slipway.simulator.scenario import Scenario
from tests.infra.aws.iam import known_actions
from tests.infra.aws.stacks import VARIANTS

ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/slipway-test-boundary"
ARGS = CiArgs(
    account=ACCOUNT, repository="example/models", repository_id="1", environment="production", state="state",
    project="slipway", stacks=["test"], store="store",
)  # fmt: skip
DEPLOY = [*deploying(ARGS), itself(ARGS)]
OURS, THEIRS = f"arn:aws:iam::{ACCOUNT}:role/slipway-test-x", f"arn:aws:iam::{ACCOUNT}:role/payroll"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
EKS = f"arn:aws:iam::aws:policy/{ATTACHED[0]}"
BOUNDED, OTHER = {"iam:PermissionsBoundary": BOUNDARY}, {"iam:PermissionsBoundary": ADMINISTRATOR}
TAG = "aws:ResourceTag/slipway:stack"
TO_EKS = {"iam:PassedToService": "eks.amazonaws.com"}


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def lint(allowed, declared, types):
    """What is wrong between the actions of a policy, the types that stacks declare, and the table."""
    needed = {each for row in types.values() for verb in VERBS for each in row.actions(verb)}
    needed |= {each for use in table().besides.values() for each in use["actions"]}
    needed |= {PASS, "iam:CreateServiceLinkedRole", "iam:GetPolicy"}
    return [
        *(f"{kind} has no actions" for kind in sorted(declared - types.keys())),
        *(f"{kind} is declared by no stack" for kind in sorted(types.keys() - declared)),
        *(f"{kind} has nothing to {verb}" for kind, row in types.items() for verb in ("make", "read")
          if not row.actions(verb)),
        *(f"{action} is needed by nothing" for action in sorted(allowed - needed)),
        *(f"{action} is not granted" for action in sorted(needed - allowed)),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def declared(variant):
    return {each.typ for name in VARIANTS for each in variant(name).declared if each.typ.startswith("aws:")}


@pytest.fixture(scope="module")
def allowed():
    statements = granted(ACCOUNT, "slipway", ["test"], [BOUNDARY])
    return {action for each in statements for action in each["Action"]}


def test_the_role_is_granted_what_the_declared_types_take_and_no_more(declared, allowed):
    assert lint(allowed, declared, table().types) == []


def test_the_linter_names_a_type_without_actions_and_an_action_without_a_type(declared, allowed):
    types = dict(table().types)
    assert "aws:sqs/queue:Queue has no actions" in lint(allowed, {*declared, "aws:sqs/queue:Queue"}, types)
    assert "sqs:CreateQueue is needed by nothing" in lint({*allowed, "sqs:CreateQueue"}, declared, types)
    assert "kms:CreateKey is not granted" in lint(allowed - {"kms:CreateKey"}, declared, types)
    assert "aws:sns/topic:Topic is declared by no stack" in lint(allowed, declared - {"aws:sns/topic:Topic"}, types)


def test_aws_has_the_actions_and_binds_them_to_what_the_policy_does():
    """By AWS's own list: a name or a tag that AWS does not ask about would allow nothing, or everything."""
    scopes = table().scopes
    known = known_actions(sorted({action for actions in scopes.values() for action in actions}))
    assert [action for action, has in known.items() if not has] == []
    kinds = {kind: row["arn"].format("", account="").split(":")[2] for kind, row in table().resources.items()}
    wrong = []
    for scope, actions in scopes.items():
        for action in actions:
            resources = {each["arn"]: each["keys"] for each in known[action]}
            if scope == "tagged":
                fits = any(key.startswith("aws:ResourceTag") for keys in resources.values() for key in keys)
            else:
                fits = scope == "*" or any(arn.split(":")[2:3] == [kinds[scope]] for arn in resources if arn != "*")
            wrong += [] if fits else [f"{action} on {scope}"]
    for action in table().bounded:
        wrong += [] if all("iam:PermissionsBoundary" in each["keys"] for each in known[action]) else [action]
    for action, condition in table().only.items():
        ((key, _),) = next(iter(condition.values())).items()
        wrong += [] if any(key in each["keys"] for each in known[action]) else [f"{action} {key}"]
    for action, why in table().unbound.items():
        is_alone = {each["arn"] for each in known[action]} == {"*"}
        wrong += [action] if is_alone != (why == "AWS binds it to no resource") else []
    assert not wrong, "; ".join(wrong)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_call_that_a_variants_resources_take_is_allowed(name, variant, tmp_path):
    aws = cloud_for("aws", Books(tmp_path / "books.json"), Scenario())
    deployer = Deployer(ACCOUNT, "test", aws.books)
    entries = [
        {**aws.entry(each.typ, plain(each.inputs), each.name), "tags": {STACK_TAG: "slipway/test"}}
        for each in variant(name).declared
        if each.typ.startswith("aws:")
    ]
    for role in (each for each in entries if each["type"].endswith(":Role")):
        aws.books.put(role)
    for entry in entries:
        for verb in VERBS:
            deployer.refuse(verb, entry)  # of a change all that can change


@pytest.mark.parametrize("stacks", [["test"], [f"team-{index}-of-the-company-eu-central" for index in range(6)]])
def test_the_policies_are_within_awss_limits_however_many_stacks_there_are(stacks):
    args = CiArgs(**{**vars(ARGS), "stacks": stacks})
    policies = deploying(args)
    assert max(len(re.sub(r"\s", "", each)) for each in policies) <= POLICY_CHARACTERS
    assert len(policies) <= 10
    assert len(re.sub(r"\s", "", boundary_policy(ACCOUNT, f"slipway-{stacks[0]}", "state"))) <= POLICY_CHARACTERS


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("iam:CreateRole", OURS, BOUNDED),
        ("iam:PutRolePolicy", OURS, BOUNDED),
        ("iam:PutRolePermissionsBoundary", OURS, BOUNDED),
        ("iam:UpdateAssumeRolePolicy", OURS, BOUNDED),
        ("iam:AttachRolePolicy", OURS, {**BOUNDED, "iam:PolicyARN": EKS}),
        ("iam:DetachRolePolicy", OURS, {}),
        ("iam:DeleteRole", OURS, {}),
        (PASS, OURS, TO_EKS),
        ("iam:GetPolicy", BOUNDARY, {}),
        ("iam:SimulatePrincipalPolicy", role("slipway-deploy"), {}),
        *(("iam:CreateServiceLinkedRole", role(f"aws-service-role/{each}/x"), {}) for each in SERVICE_LINKED),
        ("s3:GetObject", "arn:aws:s3:::state/.pulumi/stacks/slipway/test.json", {}),
        ("s3:PutObject", "arn:aws:s3:::state/.pulumi/history/slipway/test/test-1.history.json", {}),
        ("s3:DeleteObject", "arn:aws:s3:::state/.pulumi/locks/organization/slipway/test/1.json", {}),
        ("s3:PutObject", "arn:aws:s3:::store/sha256/ab/manifest.json", {}),
        ("s3:PutObject", "arn:aws:s3:::slipway-test-models-123456789012/models/digits/model.onnx", {}),
        ("ecr:PutImage", f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/slipway-test/digits", {}),
        ("ec2:CreateTags", "*", {"ec2:CreateAction": "CreateVpc"}),
        ("ec2:DeleteVpc", "*", {TAG: "slipway/test"}),
        ("kms:ScheduleKeyDeletion", "*", {TAG: "slipway/test"}),
        ("kms:CreateGrant", "*", {"kms:GrantIsForAWSResource": "true"}),
        ("kms:GenerateDataKey", "*", {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}),
    ],
)
def test_a_deployment_may(action, resource, context):
    assert allows(DEPLOY, Call(action=action, resource=resource, context=context))


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        # a role with more than the boundary
        ("iam:CreateRole", OURS, {}),
        ("iam:CreateRole", OURS, OTHER),
        ("iam:CreateRole", THEIRS, BOUNDED),
        ("iam:AttachRolePolicy", OURS, {**BOUNDED, "iam:PolicyARN": ADMINISTRATOR}),
        ("iam:AttachRolePolicy", OURS, {"iam:PolicyARN": EKS}),
        ("iam:PutRolePolicy", OURS, {}),
        ("iam:PutRolePolicy", OURS, OTHER),
        ("iam:PutRolePolicy", THEIRS, BOUNDED),
        # the boundary off, exchanged or widened
        ("iam:DeleteRolePermissionsBoundary", OURS, BOUNDED),
        ("iam:PutRolePermissionsBoundary", OURS, OTHER),
        ("iam:CreatePolicyVersion", BOUNDARY, {}),
        ("iam:SetDefaultPolicyVersion", BOUNDARY, {}),
        ("iam:DeletePolicy", BOUNDARY, {}),
        ("iam:CreatePolicy", f"arn:aws:iam::{ACCOUNT}:policy/slipway-other-boundary", {}),
        # its own roles
        ("iam:PutRolePolicy", role("slipway-deploy"), BOUNDED),
        ("iam:UpdateAssumeRolePolicy", role("slipway-preview"), BOUNDED),
        ("iam:DeleteRole", role("slipway-preview"), {}),
        # a role that is not ours, or to a service that no stack has
        (PASS, THEIRS, TO_EKS),
        (PASS, role("slipway-deploy"), TO_EKS),
        (PASS, OURS, {"iam:PassedToService": "lambda.amazonaws.com"}),
        (PASS, OURS, {}),
        # wider trust
        ("iam:UpdateAssumeRolePolicy", THEIRS, {}),
        ("iam:UpdateAssumeRolePolicy", THEIRS, BOUNDED),
        ("iam:UpdateAssumeRolePolicy", OURS, {}),
        ("sts:AssumeRole", THEIRS, {}),
        # other identities
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x", {}),
        ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/x", {}),
        ("iam:CreateOpenIDConnectProvider", "*", {}),
        ("iam:AddRoleToInstanceProfile", f"arn:aws:iam::{ACCOUNT}:instance-profile/x", {}),
        ("iam:CreateServiceLinkedRole", role("aws-service-role/config.amazonaws.com/x"), {}),
        # other stacks: state, locks, and whatever has a name
        ("s3:GetObject", "arn:aws:s3:::state/.pulumi/stacks/slipway/other.json", {}),
        ("s3:GetObject", "arn:aws:s3:::state/.pulumi/stacks/slipway-bootstrap/example.json", {}),
        ("s3:PutObject", "arn:aws:s3:::state/.pulumi/stacks/slipway/other.json", {}),
        ("s3:DeleteObject", "arn:aws:s3:::state/.pulumi/locks/organization/slipway/other/1.json", {}),
        ("s3:DeleteObject", "arn:aws:s3:::state/.pulumi/meta.yaml", {}),
        ("s3:DeleteBucket", "arn:aws:s3:::state", {}),
        ("s3:PutBucketPolicy", "arn:aws:s3:::state", {}),
        ("s3:GetObject", "arn:aws:s3:::slipway-other-models-123456789012/models/x/model.onnx", {}),
        ("s3:GetObject", "arn:aws:s3:::payroll/2026.csv", {}),
        ("eks:DeleteCluster", f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/slipway-other", {}),
        ("eks:AssociateAccessPolicy", f"arn:aws:eks:us-east-1:{ACCOUNT}:access-entry/shared/role/1/x/1", {}),
        ("ecr:PutImage", f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/slipway-other/digits", {}),
        ("logs:DeleteLogGroup", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/slipway-other/flow", {}),
        ("logs:FilterLogEvents", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/slipway-test/flow", {}),
        ("sns:DeleteTopic", f"arn:aws:sns:us-east-1:{ACCOUNT}:slipway-other-alarms", {}),
        # what has no name and not our tag
        ("ec2:DeleteVpc", "*", {TAG: "slipway/other"}),
        ("ec2:DeleteSubnet", "*", {}),
        ("ec2:CreateTags", f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/vpc-1", {}),
        ("elasticloadbalancing:AddTags", "*", {}),
        ("elasticloadbalancing:DeleteLoadBalancer", "*", {}),
        ("acm:DeleteCertificate", "*", {}),
        ("kms:Decrypt", "*", {}),
        ("kms:Decrypt", "*", {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}),
        ("kms:CreateGrant", "*", {"kms:GrantIsForAWSResource": "false"}),
        ("kms:UpdateAlias", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/payroll", {}),
        ("kms:ScheduleKeyDeletion", "*", {TAG: "slipway/other"}),
        ("kms:PutKeyPolicy", "*", {}),
        # other services
        ("secretsmanager:GetSecretValue", "*", {}),
        ("lambda:CreateFunction", "*", {}),
        ("ec2:TerminateInstances", "*", {}),
        ("ec2:CreateSnapshot", "*", {}),
        ("organizations:LeaveOrganization", "*", {}),
    ],
)
def test_a_deployment_that_was_taken_over_may_not(action, resource, context):
    assert not allows(DEPLOY, Call(action=action, resource=resource, context=context))


@pytest.mark.parametrize(
    ("action", "path", "allowed"),
    [
        ("s3:GetObject", "stacks/slipway/test.json", True),
        ("s3:GetObject", "stacks/slipway/other.json", False),
        ("s3:GetObject", "stacks/slipway-bootstrap/example.json", False),
        ("s3:PutObject", "stacks/slipway/test.json", False),
        ("s3:PutObject", "locks/organization/slipway/test/1.json", True),
        ("s3:DeleteObject", "locks/organization/slipway/test/1.json", True),
        ("s3:DeleteObject", "locks/organization/slipway/other/1.json", False),
        ("s3:PutObject", "locks/organization/slipway/other/1.json", False),
        ("s3:DeleteObject", "locks/organization/slipway-bootstrap/example/1.json", False),
    ],
)
def test_a_preview_reads_the_state_of_its_stacks_and_takes_their_locks_alone(action, path, allowed):
    assert allows([looking(ARGS)], Call(action=action, resource=f"arn:aws:s3:::state/.pulumi/{path}")) is allowed


def test_what_the_deployer_may_do_with_its_own_role_is_to_ask():
    denied = [each for each in json.loads(itself(ARGS))["Statement"] if each["Effect"] == "Deny"]
    own = [each["NotAction"] for each in denied if role("slipway-deploy") in each["Resource"]]
    assert own == [list(OWN)]
