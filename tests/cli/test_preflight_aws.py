"""What the preflight asks of AWS, through the real `aws` command, of a double that answers as AWS does (moto)."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from slipway.infra.config.stack import StackConfig
from slipway.infra.home import ROOT, home
from slipway.infra.platforms.answers import Answers
from slipway.infra.platforms.aws import preflight as preflight_aws
from slipway.infra.platforms.aws.boundary import boundary_policy
from slipway.infra.platforms.aws.ci_policies import CiArgs, deploying, itself
from slipway.infra.platforms.aws.permissions import PASS, VERBS, asked, table

from slipway.ops.models.virtualenvs import environment
from slipway.ops.preflight.checks import run
from slipway.simulator.web import web
from tests.infra.aws import stacks
from tests.infra.aws.iam import unknown_actions

NOBODY = "http://127.0.0.1:9"
# The role that bootstrap/aws makes, for the stack x.
ARGS = CiArgs(
    account="123456789012",
    repository="example/models",
    repository_id="1",
    environment="production",
    state="state",
    project="slipway",
    stacks=["x"],
)
DEPLOYS = [each for policy in [*deploying(ARGS), itself(ARGS)] for each in json.loads(policy)["Statement"]]
BOUNDARY = boundary_policy("123456789012", "slipway-x", "state")
ROLES = {each for kind, row in table().types.items() if "iam" in kind for verb in VERBS for each in row.actions(verb)}
FEW = [
    {"Effect": "Allow", "NotAction": ["iam:*", "eks:CreateCluster"], "Resource": "*"},
    {"Effect": "Allow", "Action": ["iam:*"], "Resource": "arn:aws:iam::123456789012:role/other-*"},
]
QUOTAS = {"ec2/L-3819A6DF": 12, "ec2/L-DB2E81BA": 0, "ec2/L-1216C47A": 64, "vpc/L-F678F1CE": 5}


@pytest.fixture(scope="module")
def account():
    """An account with two roles, a hosted zone, a certificate and quotas; the ids of what it has."""
    python = environment([ROOT / "tests" / "cli" / "clouds.txt"], home() / "envs")
    double = subprocess.Popen(
        [python, str(ROOT / "tests" / "doubles" / "aws.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        address = double.stdout.readline().strip()
        content = {
            "roles": {"slipway-deploy": DEPLOYS, "few": FEW}, "zone": "ml.example.org",
            "certificate": "*.ml.example.org", "versions": ["1.36"],
            "policies": {"slipway-x-boundary": BOUNDARY}, "quotas": QUOTAS, "defaults": {"ec2/L-0263D0A3": 5},
        }  # fmt: skip
        double.stdin.write(json.dumps(content) + "\n")
        double.stdin.flush()
        yield SimpleNamespace(address=address, bin=python.parent, **json.loads(double.stdout.readline()))
    finally:
        double.stdin.close()
        double.wait(20)


@pytest.fixture(autouse=True)
def credentials(account, monkeypatch, tmp_path):
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{account.bin}:{os.environ['PATH']}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "double")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for wait in ("SECONDS", "CONNECT", "READ"):  # however busy this machine is
        monkeypatch.setattr(preflight_aws, wait, 600)
    monkeypatch.setattr(preflight_aws, "delegated", lambda zone, servers: (None, f"{zone}: {len(servers)} servers"))


def config(**change):
    """The production variant with GPUs that the double's list of offers knows."""
    content = stacks.production()
    for pool in content["aws"]["cluster"]["gpu"]:
        pool["instances"] = [each.replace("g6", "g5") for each in pool["instances"]]
    content["aws"]["cluster"]["version"] = "1.36"
    content["access"]["jwt"]["jwks"] = f"{NOBODY.replace('http', 'https')}/keys"
    for part, values in change.items():
        content["aws"][part] = {**content["aws"][part], **values} if isinstance(values, dict) else values
    return StackConfig.model_validate(content)


def test_an_account_is_asked_for_everything_at_once(account):
    found = preflight_aws.answers(config(endpoint={"certificate": account.certificate}), "x")
    assert (found.account, found.who, found.lacking, found.versions) == (
        "123456789012", "role/slipway-deploy", [], ["1.36"],
    )  # fmt: skip
    assert found.machines["g5.xlarge"].cpus == 4 and found.machines["g5.xlarge"].gpus == 1
    assert "us-east-1a" in found.machines["g5.xlarge"].zones
    assert {each.name.rpartition("(")[2].rstrip(")"): (each.asked, each.given, each.used) for each in found.quotas} == {
        "ec2/L-3819A6DF": (12, 12, None), "ec2/L-DB2E81BA": (8, 0, None), "ec2/L-1216C47A": (12, 64, None),
        "VPCs of the region, one more": (2, 5, 1), "elastic addresses, 3 more": (3, 5, 0),
    }  # fmt: skip
    assert found.said["certificate"] == [(True, "the certificate is issued for *.ml.example.org")]
    outcomes = {(each.check, each.outcome) for each in run(config(), found)}
    assert ("quota", "failed") in outcomes and ("gpu-offer", "ok") in outcomes and ("fallback", "ok") in outcomes


def test_what_the_deployer_may_not_is_named():
    deployer = config(cluster={"deployer": stacks.ROLE.format("few")})
    who, lacking = preflight_aws._lacking(deployer, "x", {"Account": "123456789012", "Arn": "arn:aws:iam::1:user/me"})
    assert who.endswith(":role/few")
    assert set(lacking) == {"eks:CreateCluster", *ROLES, "iam:PassRole"}


def test_a_deployer_of_another_stack_lacks_whatever_has_a_name():
    """The role is for the stack x alone: it fills no bucket, cluster, repository or role of another's."""
    _, lacking = preflight_aws._lacking(config(), "y", {"Account": "123456789012", "Arn": ""})
    assert {"s3:CreateBucket", "eks:CreateAddon", "ecr:CreateRepository", "iam:CreateRole"} <= set(lacking)


def test_a_boundary_that_the_account_lacks_is_named_with_the_way_to_it():
    ((good, says),) = preflight_aws._boundary(config(), "x", "123456789012")
    assert (good, says) == (True, "policy/slipway-x-boundary bounds the stack's roles")
    ((good, says),) = preflight_aws._boundary(config(), "y", "123456789012")
    assert good is False and "add y to slipway-bootstrap:stacks" in says


def test_a_deployer_that_can_not_be_asked_about_is_unknown():
    gone = config(cluster={"deployer": stacks.ROLE.format("gone")})
    assert preflight_aws._lacking(gone, "x", {"Account": "123456789012", "Arn": ""})[1] is None


def test_the_role_behind_a_session_is_asked_about():
    session = "arn:aws:sts::123456789012:assumed-role/few/me"
    assert preflight_aws._principal("us-east-1", session) == "arn:aws:iam::123456789012:role/few"
    assert preflight_aws._principal("us-east-1", "arn:aws:iam::123456789012:user/me").endswith(":user/me")


def test_expired_credentials_are_told_with_the_way_to_new_ones(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "EXPIRED0123456789012")
    found = preflight_aws.answers(config(), "x")
    assert found.refused and "log in again (aws sso login" in found.refusal


def test_another_account_is_told_before_anything_else_is_asked():
    whole = config()
    other = whole.model_copy(update={"aws": whole.aws.model_copy(update={"account": "210987654321"})})
    found = preflight_aws.answers(other, "x")
    assert found.account == "123456789012" and found.machines is None


def test_no_credentials_fail_and_no_network_is_quick_and_does_not(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOBODY)
    found = preflight_aws.answers(config(), "x")
    assert not found.refused and found.refusal.startswith("nobody to ask: Could not connect")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    found = preflight_aws.answers(config(), "x")
    assert found.refused and found.refusal.startswith("there are no credentials")


def test_without_the_command_nobody_is_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = preflight_aws.answers(config(), "x")
    assert not found.refused and found.refusal == "nobody to ask: aws is not on PATH"


def with_edge(**endpoint):
    """A configuration whose edge is taken as it is: the double's ids are longer than those of AWS."""
    whole = config()
    edge = whole.aws.endpoint.model_copy(update=endpoint)
    return whole.model_copy(update={"aws": whole.aws.model_copy(update={"endpoint": edge})})


def test_a_zone_is_of_the_domain_or_named_as_wrong(account):
    right, asked = preflight_aws._domain(with_edge(zone=account.zone))
    assert right == (True, f"{account.zone} is of ml.example.org")
    assert asked == (None, "ml.example.org: 4 servers")
    ((good, says),) = preflight_aws._domain(with_edge(zone="Z0123456789ABC"))
    assert good is False and "the account has no hosted zone Z0123456789ABC" in says
    ((good, says),) = preflight_aws._domain(with_edge(zone=account.zone, domain="elsewhere.org"))
    assert good is False and says.endswith("is of ml.example.org, and elsewhere.org is not in it")


def test_a_certificate_that_is_not_there_not_issued_or_not_of_the_domain_is_refused(account):
    def certificate(**endpoint):
        ((good, says),) = preflight_aws._certificate(with_edge(**endpoint))
        return good, says

    assert certificate(certificate=stacks.CERTIFICATE)[0] is False
    good, says = certificate(certificate=account.waiting)
    assert good is False and "it is PENDING_VALIDATION, not ISSUED" in says
    good, says = certificate(certificate=account.certificate, domain="other.org")
    assert good is False and says.endswith("it is for *.ml.example.org, not for *.other.org")


@pytest.mark.parametrize("written", [float, lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat()])
@pytest.mark.parametrize(("days", "good"), [(3, False), (90, True)])
def test_a_certificate_that_ends_soon_is_told(days, good, written, monkeypatch):
    ends = (datetime.now(UTC) + timedelta(days=days)).timestamp()
    found = {"DomainName": "*.ml.example.org", "Status": "ISSUED", "NotAfter": written(ends)}
    answer = preflight_aws.Answer({"Certificate": found})
    monkeypatch.setattr(preflight_aws, "ask_aws", lambda *_: answer)
    ((is_good, says),) = preflight_aws._certificate(config())
    assert is_good is good and ("it ends on 20" in says) is not good


def test_every_permission_that_is_asked_for_is_one_that_aws_knows():
    wanted = asked(config().aws, "123456789012", "slipway-x")
    assert unknown_actions([action for actions in wanted.values() for action in actions]) == []
    assert PASS in wanted["arn:aws:iam::123456789012:role/slipway-x-preflight"]
    assert unknown_actions(["s3:PutEverything"]) == ["s3:PutEverything"]


def with_jwks(address, **change):
    whole = config(**change)
    jwt = whole.access.jwt.model_copy(update={"jwks": address})
    return whole.model_copy(update={"access": whole.access.model_copy(update={"jwt": jwt})})


RSA, EC = {"kty": "RSA", "alg": "RS256"}, {"kty": "EC", "alg": "ES256"}


@pytest.mark.parametrize(
    ("keys", "good", "says"),
    [
        ([RSA, {"kty": "RSA"}], True, "can check tokens"),
        ([RSA, EC], False, "has keys for ES256, and the load balancer takes RS256"),
        ([RSA] * 11, False, "has 11 keys"),
        (None, None, "nobody to ask"),
    ],
)
def test_an_issuer_whose_tokens_the_load_balancer_can_not_check_is_refused(keys, good, says):
    with web({"/keys": {"keys": keys} if keys else (500, {}, {})}) as issuer:
        ((found, said),) = preflight_aws._tokens(with_jwks(f"{issuer.address}/keys"))
        assert found is good and says in said
        assert preflight_aws._tokens(with_jwks(f"{issuer.address}/keys", endpoint={"jwt": False})) == []


@pytest.mark.parametrize(
    ("answer", "good", "says"),
    [
        (preflight_aws.Answer({"Budgets": []}), True, "may see budgets"),
        (preflight_aws.Answer(None, "An error occurred (AccessDeniedException)"), False, "root user activates"),
        (preflight_aws.Answer(None, "Could not connect"), None, "nobody to ask"),
    ],
)
def test_billing_that_iam_is_not_let_into_is_told_with_who_can_change_that(answer, good, says, monkeypatch):
    monkeypatch.setattr(preflight_aws, "ask_aws", lambda *_: answer)
    ((found, said),) = preflight_aws._billing(config())
    assert found is good and says in said
    assert preflight_aws._billing(config(budget={"monthlyUsd": None})) == []


def test_the_end_of_support_is_of_the_version_that_runs_else_of_the_newest():
    offered = {"clusterVersions": [{"clusterVersion": "1.9"}, {"clusterVersion": "1.36",
                                    "endOfStandardSupportDate": "2036-01-01T00:00:00+00:00"}]}  # fmt: skip
    free = config(cluster={"version": None})
    assert preflight_aws._support(free, "", offered) == [(True, "Kubernetes 1.36 is supported until 2036-01-01")]
    ((good, says),) = preflight_aws._support(free, "1.33", None)
    assert good == "warned" and "ended on 2026-07-29" in says
    ((good, _),) = preflight_aws._support(config(), "1.33", offered)  # which names 1.36
    assert good is True
    assert {(each.check, each.outcome) for each in run(free, Answers(said={"support": [("warned", "soon")]}))} >= {
        ("support", "warned")
    }
