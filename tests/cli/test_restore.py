"""The rows of the recovery table in docs/preview.md, on the real engine: each sentence, and each command that heals."""

import subprocess
import sys

import pytest

from tests.standins.throwaway import SECONDS, Throwaway

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
import pulumi_aws as aws

def tags(name):
    return {"slipway:stack": f"{pulumi.get_project()}/{pulumi.get_stack()}", "slipway:name": name}

provider = aws.Provider("aws", region="us-east-1")
inside = pulumi.ResourceOptions(provider=provider)
aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags=tags("vpc"), opts=inside)
repository = aws.ecr.Repository("images", name="images", tags=tags("images"), opts=inside)
aws.s3.Bucket("models", bucket="models", tags=tags("models"), opts=pulumi.ResourceOptions(
    provider=provider, depends_on=[repository]))
"""


@pytest.fixture
def stack(tmp_path):
    program = tmp_path / "source"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: network\nruntime: python\noptions: {refresh: always}\n")
    (program / "Pulumi.example.yaml").write_text("config:\n  aws:region: us-east-1\n")
    (program / "__main__.py").write_text(PROGRAM)
    with Throwaway(tmp_path / "stack", program) as stack:
        yield stack


def recover(stack, *options):
    return subprocess.run(
        [sys.executable, "-m", "cli", "recover", "--stack", "example", *options],
        cwd=stack.program, env=stack.environment, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip


def test_a_state_that_was_cut_off_comes_back_with_all_that_was_made_since(stack):
    stack.up()
    (file,) = (stack.folder / "state" / ".pulumi" / "stacks").rglob("example.json")
    file.write_text(file.read_text()[:200])
    refused = recover(stack)
    assert refused.returncode == 1
    assert "slipway recover --backup puts the one before it in its place" in refused.stderr
    healed = recover(stack, "--backup")
    assert healed.returncode == 0, healed.stderr
    assert "The state could not be read: the one before it is in its place" in healed.stderr
    stack.up()
    assert stack.astray() == []


def test_a_registry_that_was_lost_is_made_again_by_up(stack):
    stack.up()
    (lost,) = [each for each in stack.books.all() if each["name"] == "images"]
    stack.books.remove(lost["type"], lost["id"])
    assert "+ 1 created" in stack.up().replace("+1", "+ 1")
    assert stack.astray() == []


def test_credentials_that_expire_half_way_are_told_and_the_next_up_goes_on(stack):
    stack.start("expire@2")
    said = stack.up(fails=True)
    assert "expired" in said.lower()
    stack.start()
    assert recover(stack).returncode == 0
    stack.up()
    assert stack.astray() == []
