"""The preflight's checks: each says what would fail, with the fix, and what nobody could be asked is no failure."""

from dataclasses import replace

import pytest
from click.testing import CliRunner
from slipway.infra.config.stack import StackConfig
from slipway.infra.platforms.answers import Answers
from slipway.infra.platforms.aws.quotas import ADDRESSES, VPCS
from slipway.infra.platforms.aws.quotas import quotas as aws_quotas
from slipway.infra.platforms.gcp.quotas import quotas as gcp_quotas
from slipway.infra.platforms.quota import Machine, Pool, Quota

from slipway.cli.preflight import preflight
from slipway.ops.preflight import ask as command
from slipway.ops.preflight.checks import CHECKS, run
from tests.infra.aws import stacks as aws
from tests.infra.gcp import stacks as gcp

AWS = StackConfig.model_validate({**aws.production(), "maxMonthlyUsd": 0})
GCP = StackConfig.model_validate(gcp.production())
ZONES = frozenset({"us-east-1a", "us-east-1b"})
MACHINES = {
    "g6.xlarge": Machine(cpus=4, gpus=1, zones=ZONES),
    "g6.2xlarge": Machine(cpus=8, gpus=1, zones=ZONES),
    "m7i.large": Machine(cpus=2, gpus=0, zones=ZONES),
}
GOOD = Answers(
    account="123456789012", who="role/slipway-deploy", lacking=[], machines=MACHINES, versions=["1.36"],
    quotas=[Quota(name="spot", asked=12, one={"spot": 4}, given=12),
            Quota(name="od", asked=8, one={"steady": 4}, given=8)],
)  # fmt: skip


def said(config=AWS, answers=GOOD, **changed):
    """(outcome, text) by the name of a check."""
    found = {}
    for each in run(config, replace(answers, **changed)):
        found.setdefault(each.check, []).append((each.outcome, each.says))
    return found


def outcomes(**changed):
    return {outcome for findings in said(**changed).values() for outcome, _ in findings}


def test_what_can_come_up_is_all_right():
    assert outcomes() == {"ok"}


def test_what_nobody_can_be_asked_is_unknown_and_fails_nothing():
    assert outcomes(answers=Answers()) == {"unknown"}
    assert outcomes(config=GCP, answers=Answers()) == {"unknown"}


def test_a_stack_of_this_machine_alone_is_not_asked_about():
    local = StackConfig.model_validate({"services": {"digits": {"model": "models/digits"}}})
    assert run(local, Answers()) == []


def test_credentials_that_are_refused_fail_and_those_of_another_account_name_both():
    ((outcome, says),) = said(answers=Answers(refused=True, refusal="they have expired"))["credentials"]
    assert (outcome, says) == ("failed", "they have expired")
    ((outcome, says),) = said(account="210987654321")["credentials"]
    assert outcome == "failed"
    assert says == (
        "the credentials are of 210987654321, the stack belongs to 123456789012: log in there, or change "
        "slipway:aws.account"
    )


def test_lacking_permissions_are_named_and_a_long_list_is_cut():
    ((outcome, says),) = said(lacking=["eks:CreateCluster"])["permissions"]
    assert outcome == "failed" and "role/slipway-deploy may not eks:CreateCluster" in says
    ((_, says),) = said(lacking=[f"ec2:{each}" for each in range(40)])["permissions"]
    assert "ec2:5 and 34 more" in says
    assert said(lacking=None)["permissions"][0][0] == "unknown"


def test_a_pool_that_no_zone_offers_fails_and_the_next_one_is_tried():
    machines = {"g6.2xlarge": MACHINES["g6.2xlarge"], "m7i.large": MACHINES["m7i.large"]}
    found = said(machines=machines)
    assert found["gpu-offer"] == [
        ("ok", "1. spot: g6.xlarge, g6.2xlarge in us-east-1a, us-east-1b"),
        ("failed", "2. steady: no zone has g6.xlarge: choose others, or another region"),
    ]
    assert found["fallback"] == [("ok", "GPU nodes are tried as spot; not steady: no zone has its machines")]


def test_a_pool_in_zones_without_its_machine_names_those_that_have_it():
    offered = {"g2-standard-8": Machine(cpus=8, gpus=1, zones=frozenset({"europe-west4-b"}))}
    found = said(config=GCP, account="example-project", machines=offered, quotas=())
    assert found["gpu-offer"][0] == (
        "failed", "1. spot: no g2-standard-8 in europe-west4-a; choose from europe-west4-b"
    )  # fmt: skip
    assert found["fallback"][0][0] == "failed"


def test_a_quota_too_small_fails_and_one_without_a_single_node_takes_the_pool_out_of_the_order():
    small = [replace(GOOD.quotas[0], given=0), GOOD.quotas[1]]
    found = said(quotas=small)
    assert found["quota"][0] == ("failed", "spot: 0 given, 12 may be taken: ask for more, or lower max")
    assert found["fallback"] == [("ok", "GPU nodes are tried as steady; not spot: spot is 0")]
    none = [replace(each, given=0) for each in GOOD.quotas]
    assert said(quotas=none)["fallback"][0][0] == "failed"
    assert said(quotas=[replace(GOOD.quotas[0], given=None)])["quota"][0][0] == "unknown"
    assert "5 in use now" in said(quotas=[replace(GOOD.quotas[0], used=5)])["quota"][0][1]


def test_a_version_that_is_not_offered_names_those_that_are():
    content = aws.production()
    content["aws"]["cluster"]["version"] = "1.27"
    older = StackConfig.model_validate(content)
    assert said(config=older)["version"] == [("failed", "Kubernetes 1.27 is not offered; there are 1.36")]
    assert said(config=older, versions=None)["version"][0][0] == "unknown"
    good = said(config=GCP, account="example-project", versions=["RAPID", "STABLE"])
    assert good["version"] == [("ok", "channel STABLE is offered")]


def test_a_held_stack_names_who_holds_it():
    assert said(lock="me@here, process 7")["lock"][0][0] == "failed"
    assert "lock" not in said()


@pytest.mark.parametrize("name", ["tools", "billing", "image", "registry", "domain", "certificate"])
def test_what_a_check_found_itself_is_told_as_it_is(name):
    found = said(answers=replace(GOOD, said={name: [(True, "a"), (False, "b"), (None, "c")]}))
    assert found[name] == [("ok", "a"), ("failed", "b"), ("unknown", "c")]


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_is_left_out_by_its_name(name):
    bad = Answers(lock="x", refused=True, said={each: [(False, "b")] for each in CHECKS})
    assert name not in {each.check for each in run(AWS, bad, frozenset({name}))}


def test_what_an_aws_stack_takes_of_its_quotas_is_counted_in_the_quotas_own_unit():
    asked = aws_quotas(AWS.aws, MACHINES, is_new=True)
    # Node groups count nodes: three of the smaller type on spot, two on demand, six of two vCPUs without a GPU.
    assert {code: quota.asked for code, quota in asked.items()} == {
        "ec2/L-3819A6DF": 3 * 4, "ec2/L-DB2E81BA": 2 * 4, "ec2/L-1216C47A": 6 * 2, VPCS: 1, ADDRESSES: 3,
    }  # fmt: skip
    assert VPCS not in aws_quotas(AWS.aws, MACHINES, is_new=False)


def test_auto_mode_counts_gpus_and_takes_whole_families():
    pool = Pool(name="a", spot=False, machines=("g6",), most=8, by_gpu=True)
    big = Machine(cpus=192, gpus=8, zones=ZONES)
    known = {**MACHINES, "g6.48xlarge": big, "g6e.xlarge": MACHINES["g6.xlarge"]}
    assert pool.types(known).keys() == {"g6.xlarge", "g6.2xlarge", "g6.48xlarge"}
    assert pool.nodes(big) == 1 and pool.nodes(MACHINES["g6.xlarge"]) == 8
    assert replace(pool, zones=frozenset({"us-east-1f"})).types(known) == {}


@pytest.mark.parametrize(
    ("kind", "spot", "code"),
    [("p5.48xlarge", "spot", "ec2/L-C4BD4855"), ("p5.48xlarge", "on-demand", "ec2/L-417A185B"),
     ("p4d.24xlarge", "spot", "ec2/L-7212CCBC"), ("g5.xlarge", "spot", "ec2/L-3819A6DF")],
)  # fmt: skip
def test_each_family_counts_towards_its_own_quota(kind, spot, code):
    pool = {"name": "a", "instances": [kind], "max": 1, "capacity": spot}
    config = AWS.aws.model_validate({"region": "us-east-1", "cluster": {"gpu": [pool]}, "network": {"nat": "none"}})
    assert code in aws_quotas(config, {kind: Machine(cpus=96, gpus=8, zones=ZONES)}, is_new=False)


def test_what_a_stack_on_google_cloud_takes_of_its_quotas_is_counted_in_gpus_and_cpus():
    assert {name: quota.asked for name, quota in gcp_quotas(GCP.gcp).items()} == {
        "PREEMPTIBLE_NVIDIA_L4_GPUS": 3, "NVIDIA_L4_GPUS": 2, "GPUS_ALL_REGIONS": 2, "CPUS": 24,
    }  # fmt: skip


@pytest.fixture
def told(monkeypatch):
    """What the command says of given answers."""

    def tell(answers, *options, **env):
        monkeypatch.setattr("slipway.cli.preflight.config_of", lambda stack: AWS)
        monkeypatch.setattr(command, "answers", lambda config, stack: answers)
        return CliRunner().invoke(preflight, ["--stack", "x", *options], env=env)

    return tell


def test_the_command_fails_where_something_would_and_an_advice_never(told):
    bad = replace(GOOD, lacking=["eks:CreateCluster"])
    assert told(GOOD).exit_code == 0
    done = told(bad)
    assert done.exit_code == 1 and "failed  permissions: role/slipway-deploy may not eks:CreateCluster" in done.output
    assert told(bad, "--advise").exit_code == 0
    assert told(bad, "--skip", "permissions").exit_code == 0
    assert told(bad, SLIPWAY_SKIP="quota,permissions").exit_code == 0


def test_a_wrong_name_to_skip_is_refused_with_the_right_ones(told):
    done = told(GOOD, "--skip", "quotas")
    assert done.exit_code == 2 and "no check is called quotas; there are lock, tools, secrets" in done.output


def test_the_lock_of_a_backend_in_a_folder_is_seen(tmp_path, monkeypatch):
    lock = tmp_path / ".pulumi" / "locks" / "organization" / "slipway" / "x" / "1.json"
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    assert command._lock("x") == ""
    lock.parent.mkdir(parents=True)
    lock.write_text('{"username": "me", "hostname": "here", "pid": 7, "timestamp": "2026-01-01T10:00:00.1Z"}')
    assert command._lock("x") == "me@here, process 7, since 2026-01-01T10:00:00"
    lock.write_text("{")
    assert command._lock("x") == "1.json"


def test_only_a_stack_that_builds_images_asks_for_docker_base_and_registry(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [good for good, _ in command._tools(AWS)] == [False, False]  # aws and kubectl
    assert command._images(AWS, GOOD) == {}
    building = StackConfig.model_validate(aws.example())
    assert [says.split()[0] for _, says in command._tools(building)] == ["aws", "kubectl", "docker"]
    monkeypatch.setattr("slipway.ops.preflight.connectivity.base_image", lambda ref: (None, ref))
    monkeypatch.setattr("slipway.ops.preflight.connectivity.registry", lambda host, login: (None, host))
    found = command._images(building, GOOD)
    assert found["registry"] == [(None, "123456789012.dkr.ecr.us-east-1.amazonaws.com")]
    assert "python:3.12" in found["image"][0][1]
    there = command._images(StackConfig.model_validate(gcp.example()), GOOD)
    assert there["registry"] == [(None, "europe-west4-docker.pkg.dev")]
