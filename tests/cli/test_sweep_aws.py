"""The sweep of an AWS account, with the tagging API's answers given."""

from slipway.infra.config.stack import StackConfig
from slipway.infra.errors import Unanswered
from slipway.infra.platforms.aws.sweep import sweep

from tests.infra.aws.stacks import production

BUCKET, VPC = "arn:aws:s3:::slipway-x-models-1", "arn:aws:ec2:us-east-1:1:vpc/vpc-1"
KEY = "arn:aws:kms:us-east-1:1:key/2"


def answer(*arns):
    return lambda _label, _provider: [(arn, "name") for arn in arns]


def config(environment):
    return StackConfig.model_validate({**production(), "environment": environment})


def test_what_a_destroyed_stack_left_is_named():
    looked, left = sweep("x", config("staging"), answer(BUCKET, VPC))
    assert left == [VPC, BUCKET]
    assert "slipway:stack=slipway/x: 2 found" in looked[0]


def test_production_keeps_its_data_and_nothing_else():
    looked, left = sweep("x", config("production"), answer(BUCKET, VPC, KEY))
    assert left == [VPC]
    assert any(BUCKET in line for line in looked) and any("waiting time" in line for line in looked)


def test_an_account_that_answers_nothing_is_clean_and_one_that_can_not_be_asked_is_not():
    assert sweep("x", config("dev"), answer())[1] == []

    def refuse(*_):
        raise Unanswered("pulumi preview:\nno valid credential sources")

    assert sweep("x", config("dev"), refuse)[1] == ["the account can't be looked at: no valid credential sources"]
