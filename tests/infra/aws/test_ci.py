"""The identity of workflows: no keys, a preview that changes nothing, a deployment that an environment guards."""

import json
from fnmatch import fnmatch

import pytest
import yaml
from slipway.infra.config.base import ConfigError
from slipway.infra.home import ROOT
from slipway.infra.platforms.aws.ci import LOOK
from slipway.infra.platforms.aws.ci_policies import BESIDE

from slipway.ops.state.drift import UNREAD
from slipway.simulator.iam import Call, allows
from tests.contracts import rules
from tests.infra.aws.iam import findings, managed, unknown_actions
from tests.infra.aws.reads import ASKS, READS
from tests.infra.aws.stacks import VARIANTS
from tests.recorder import run_program

PROGRAM = ROOT / "bootstrap" / "aws"
# A deployer makes what has no name yet, and logs docker in; what an attacker makes of it is in test_deployer.
ACCEPTED = ("writes without a resource", "grants without a resource", "credentials")


@pytest.fixture(scope="module")
def program():
    settings = yaml.safe_load((PROGRAM / "Pulumi.example.yaml").read_text())["config"]
    settings = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    return run_program(program=PROGRAM / "__main__.py", project="slipway-bootstrap", settings=settings)


def takes(program, name, **claims):
    """Whether GitHub's token with these claims gets the role."""
    token = {
        "aud": "sts.amazonaws.com", "sub": "repo:example/models:environment:preview", "environment": "preview",
        "repository_id": "123456789", **claims,
    }  # fmt: skip
    policy = json.loads(program.inputs_of(name, "Role")["assumeRolePolicy"])
    policy["Statement"] = [{**each, "Resource": "*"} for each in policy["Statement"]]
    context = {f"token.actions.githubusercontent.com:{key}": value for key, value in token.items()}
    return allows([json.dumps(policy)], Call(action="sts:AssumeRoleWithWebIdentity", context=context))


def job(environment, numbered):
    name = "example@77/models@123456789" if numbered else "example/models"
    return {"environment": environment, "sub": f"repo:{name}:environment:{environment}"}


@pytest.mark.parametrize("numbered", [False, True], ids=["names", "names with numbers, since July 2026"])
def test_a_pull_request_gets_the_role_that_looks_and_the_environment_the_one_that_deploys(numbered, program):
    jobs = {name: yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())["jobs"][name]
            for name in ("preview", "drift", "up")}  # fmt: skip
    for name, role in (("preview", "preview"), ("drift", "preview"), ("up", "deploy")):
        claims = job(jobs[name]["environment"], numbered)
        assert takes(program, role, **claims)
        assert not takes(program, {"preview": "deploy", "deploy": "preview"}[role], **claims)


def test_a_repository_that_took_the_name_of_ours_gets_no_role(program):
    assert takes(program, "preview")
    assert not takes(program, "preview", repository_id="987654321")
    assert not takes(program, "preview", **job("preview", True), repository_id="987654321")
    assert not takes(program, "preview", sub="repo:example@77/models@987654321:environment:preview")
    assert not takes(program, "preview", sub="repo:example/models:ref:refs/heads/main")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("repositoryId", "models", "repositoryId: 'models' is no number"),
        ("stacks", "[]", "stacks: is empty"),
        ("stacks", '["*"]', r"stacks: '\*' is no stack's name"),
    ],
)
def test_what_can_be_no_number_or_name_is_refused(key, value, says):
    settings = yaml.safe_load((PROGRAM / "Pulumi.example.yaml").read_text())["config"]
    settings = {name: each if isinstance(each, str) else json.dumps(each) for name, each in settings.items()}
    with pytest.raises(ConfigError, match=says):
        run_program(program=PROGRAM / "__main__.py", project="slipway-bootstrap",
                    settings=settings | {f"slipway-bootstrap:{key}": value})  # fmt: skip


def test_the_preview_can_change_nothing_but_its_locks(program):
    attached = {each.inputs["policyArn"].rsplit("/", 1)[1] for each in program.of_type("RolePolicyAttachment")
                if each.name.startswith("preview")}  # fmt: skip
    assert attached == {"SecurityAudit", "ViewOnlyAccess"}
    for statement in json.loads(program.inputs_of("preview", "RolePolicy")["policy"])["Statement"]:
        writes = {action for action in statement["Action"] if action.split(":")[1].startswith(("Put", "Delete"))}
        locks = "arn:aws:s3:::example-pulumi-state/.pulumi/locks/organization/slipway/production/*"
        assert not writes or statement["Resource"] == [locks]


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


def test_a_deployment_is_granted_its_own_policies_and_none_of_awss(program):
    attached = [each for each in program.of_type("RolePolicyAttachment") if each.name.startswith("deploy")]
    assert len(attached) == len([each for each in program.of_type("Policy") if each.name.startswith("deploy")]) > 1
    assert all(":policy/slipway-deploy-" in each.inputs["policyArn"] for each in attached)
    names = {each.inputs["name"] for each in program.of_type("Policy")}
    assert "slipway-production-boundary" in names


def test_its_policies_pass_the_linter_and_its_resources_the_contract(program):
    policies = {
        f"{each.typ} {each.name}": json.loads(each.inputs["policy"])
        for kind in ("RolePolicy", "Policy")
        for each in program.of_type(kind)
        if not each.name.endswith("-boundary")  # which grants nothing
    }
    found = {name: {kind: each for kind, each in said.items() if kind not in ACCEPTED}
             for name, said in findings(policies).items()}  # fmt: skip
    assert {name: said for name, said in found.items() if said} == {}
    assert [*rules.unlabelled(program), *rules.overlong(program), *rules.public(program)] == []
