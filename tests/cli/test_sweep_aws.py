"""The sweep of an AWS account, with the tagging API's answers given."""

import pytest

from cli import sweep_aws
from infra.config import StackConfig
from service.pipeline.errors import PipelineError
from tests.infra.aws.stacks import production

BUCKET, VPC = "arn:aws:s3:::slipway-x-models-1", "arn:aws:ec2:us-east-1:1:vpc/vpc-1"
KEY = "arn:aws:kms:us-east-1:1:key/2"


@pytest.fixture
def answer(monkeypatch):
    def given(*arns):
        monkeypatch.setattr(sweep_aws, "tagged_resources", lambda *asked: [(arn, "name") for arn in arns])

    return given


def config(environment):
    return StackConfig.model_validate({**production(), "environment": environment})


def test_what_a_destroyed_stack_left_is_named(answer):
    answer(BUCKET, VPC)
    looked, left = sweep_aws.sweep_aws("x", config("staging"))
    assert left == [VPC, BUCKET]
    assert "slipway:stack=slipway/x: 2 found" in looked[0]


def test_production_keeps_its_data_and_nothing_else(answer):
    answer(BUCKET, VPC, KEY)
    looked, left = sweep_aws.sweep_aws("x", config("production"))
    assert left == [VPC]
    assert any(BUCKET in line for line in looked) and any("waiting time" in line for line in looked)


def test_an_account_that_answers_nothing_is_clean_and_one_that_can_not_be_asked_is_not(answer, monkeypatch):
    answer()
    assert sweep_aws.sweep_aws("x", config("dev"))[1] == []

    def refuse(*_):
        raise PipelineError("pulumi preview:\nno valid credential sources")

    monkeypatch.setattr(sweep_aws, "tagged_resources", refuse)
    assert sweep_aws.sweep_aws("x", config("dev"))[1] == ["the account can't be looked at: no valid credential sources"]
