"""The identity of workflows: no keys, a preview that changes nothing, a deployment that an environment guards."""

import json
from fnmatch import fnmatch

import pytest
import yaml
from slipway.infra.home import ROOT
from slipway.infra.platforms.aws.ci import BESIDE, LOOK
from slipway.infra.platforms.aws.permissions import MAKES

from slipway.ops.state.drift import UNREAD
from tests.contracts import rules
from tests.infra.aws.iam import findings, managed, unknown_actions
from tests.infra.aws.reads import ASKS, READS
from tests.infra.aws.stacks import VARIANTS
from tests.recorder import run_program

PROGRAM = ROOT / "bootstrap" / "aws"


@pytest.fixture(scope="module")
def program():
    settings = yaml.safe_load((PROGRAM / "Pulumi.example.yaml").read_text())["config"]
    return run_program(program=PROGRAM / "__main__.py", project="slipway-bootstrap", settings=settings)


def trust(program, name):
    (statement,) = json.loads(program.inputs_of(name, "Role")["assumeRolePolicy"])["Statement"]
    return statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]


def test_a_pull_request_gets_the_role_that_looks_and_the_environment_the_one_that_deploys(program):
    jobs = {name: yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())["jobs"][name]
            for name in ("preview", "drift", "up")}  # fmt: skip
    environments = {name: f"repo:example/models:environment:{job['environment']}" for name, job in jobs.items()}
    assert trust(program, "preview") == environments["preview"] == environments["drift"]
    assert trust(program, "deploy") == environments["up"]


def test_the_preview_can_change_nothing_but_its_locks(program):
    attached = {each.inputs["policyArn"].rsplit("/", 1)[1] for each in program.of_type("RolePolicyAttachment")
                if each.name.startswith("preview")}  # fmt: skip
    assert attached == {"SecurityAudit", "ViewOnlyAccess"}
    for statement in json.loads(program.inputs_of("preview", "RolePolicy")["policy"])["Statement"]:
        writes = {action for action in statement["Action"] if action.split(":")[1].startswith(("Put", "Delete"))}
        assert not writes or statement["Resource"] == ["arn:aws:s3:::example-pulumi-state/.pulumi/locks/*"]


def test_the_preview_reads_every_resource_but_budgets_and_is_granted_no_more(program, variant):
    granted = managed([each.rsplit("/", 1)[-1] for each in LOOK])

    def has(action):
        return any(fnmatch(action.lower(), each.lower()) for each in granted)

    declared = {each.typ for name in VARIANTS for each in variant(name).declared if each.typ.startswith("aws:")}
    assert {each.removeprefix("aws:") for each in declared - UNREAD.keys()} == READS.keys()
    needed = {action for actions in [*READS.values(), ASKS] for action in actions}
    assert sorted(action for action in needed if not has(action)) == sorted(BESIDE)
    *_, beside = json.loads(program.inputs_of("preview", "RolePolicy")["policy"])["Statement"]
    assert beside["Action"] == list(BESIDE)
    assert unknown_actions(sorted(needed)) == []


def test_a_deployment_makes_roles_of_the_stacks_alone_and_not_its_own(program):
    *allowed, denied = json.loads(program.inputs_of("deploy", "RolePolicy")["policy"])["Statement"]
    for statement in allowed:
        assert all("role/slipway-" in each or "role/aws-service-role/" in each for each in statement["Resource"])
    assert denied["Effect"] == "Deny" and denied["NotAction"] == ["iam:GetRole", "iam:SimulatePrincipalPolicy"]
    assert denied["Resource"] == [f"arn:aws:iam::123456789012:role/slipway-{name}" for name in ("preview", "deploy")]


def test_its_policies_pass_the_linter_and_its_resources_the_contract(program):
    policies = {each.name: json.loads(each.inputs["policy"]) for each in program.of_type("RolePolicy")}
    assert findings(policies) == {}
    assert [*rules.unlabelled(program), *rules.overlong(program), *rules.public(program)] == []


def test_the_preflight_asks_for_a_permission_of_every_type_that_a_stack_declares(variant):
    known = {kind for part in MAKES.values() for kind in part}
    for name in VARIANTS:
        declared = {each.typ for each in variant(name).declared if each.typ.startswith("aws:")}
        assert {kind for kind in declared if not kind.startswith("aws:iam/")} <= known
