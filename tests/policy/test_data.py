"""Production's data on the real engine: what replaces it is refused before anything is touched, whoever protects it."""

import pytest

from slipway.ops.state.outputs import keep_data
from slipway.pipeline.errors import BadInput
from slipway.simulator.throwaway import Throwaway, written

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
import pulumi_aws as aws

config = pulumi.Config("slipway")
environment = config.get("environment") or "dev"
kept = pulumi.ResourceOptions(protect=environment == "production")
aws.s3.Bucket("models", bucket=config.require("bucket"), tags={"stage": config.require("stage")}, opts=kept)
pulumi.export("environment", environment)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    program = written(tmp_path_factory.mktemp("data"), PROGRAM)
    with Throwaway(tmp_path_factory.mktemp("stack"), program) as stack:
        configure(stack, bucket="models-1", stage="first")
        stack.up()
        yield stack


def configure(stack, **values):
    for key, value in values.items():
        stack.pulumi("config", "set", f"slipway:{key}", value, "--stack", stack.stack)


def held(stack):
    return [each["id"] for each in stack.books.all()]


def test_the_update_that_makes_a_stack_production_may_replace_no_data(stack, monkeypatch):
    """As `slipway stack build` asks, which `make` runs before the engine."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(stack.program)
    configure(stack, environment="production", bucket="models-2")
    with pytest.raises(BadInput, match="Bucket models: belongs to production and would be replaced"):
        keep_data("example")
    said = stack.slipway("comment", fails=True)
    assert "| protected | Bucket models | **refused**: belongs to production" in said
    configure(stack, bucket="models-1", stage="second")
    keep_data("example")
    stack.up()
    assert held(stack) == ["models-1"]


def test_from_then_on_the_engine_refuses_a_replace_and_a_delete_and_lets_a_change_pass(stack):
    configure(stack, bucket="models-2")
    for said in (stack.preview(fails=True), stack.up(fails=True)):
        assert "as it is currently marked for protection" in said
    configure(stack, bucket="models-1", stage="third")
    assert "~ 1 updated" in stack.up()
    assert "cannot be deleted" in stack.destroy(fails=True)
    assert held(stack) == ["models-1"]
