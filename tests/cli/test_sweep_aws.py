"""The sweep of an AWS account, with the tagging API's answers given."""

from slipway.infra.config.stack import StackConfig
from slipway.infra.errors import Unanswered
from slipway.infra.platforms.aws.sweep import sweep

from tests.infra.aws.stacks import production

BUCKET, VPC = "arn:aws:s3:::slipway-x-models-1", "arn:aws:ec2:us-east-1:1:vpc/vpc-1"
KEY = "arn:aws:kms:us-east-1:1:key/2"


MINE, OTHER = "team-a-0123abcd", "team-b-4567abcd"


def answer(*arns, identity=MINE):
    return lambda _label, _provider: [(arn, "name", identity) for arn in arns]


def config(environment):
    return StackConfig.model_validate({**production(), "environment": environment})


def test_what_a_destroyed_stack_left_is_named():
    looked, left = sweep("x", MINE, config("staging"), answer(BUCKET, VPC))
    assert left == [VPC, BUCKET]
    assert "slipway:stack=slipway/x: 2 found" in looked[0]


def test_production_keeps_its_data_and_nothing_else():
    looked, left = sweep("x", MINE, config("production"), answer(BUCKET, VPC, KEY))
    assert left == [VPC]
    assert any(BUCKET in line for line in looked) and any("waiting time" in line for line in looked)


def test_what_another_stack_of_the_same_name_has_is_told_and_is_no_left_over():
    looked, left = sweep("x", MINE, config("dev"), answer(BUCKET, VPC, identity=OTHER))
    assert left == [] and looked[1:] == [f"left alone, of {OTHER}: {each}" for each in (VPC, BUCKET)]


def test_without_an_identity_all_that_is_there_is_named_with_whose_it_is():
    assert sweep("x", "", config("dev"), answer(VPC, identity=OTHER))[1] == [f"{VPC}, of {OTHER}"]
    assert "without an identity" in sweep("x", "", config("dev"), answer(VPC, identity=""))[1][0]


def test_an_account_that_answers_nothing_is_clean_and_one_that_can_not_be_asked_is_not():
    assert sweep("x", MINE, config("dev"), answer())[1] == []

    def refuse(*_):
        raise Unanswered("pulumi preview:\nno valid credential sources")

    assert sweep("x", MINE, config("dev"), refuse)[1] == ["the account can't be looked at: no valid credential sources"]
