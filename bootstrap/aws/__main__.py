"""Run once by an account's owner: what workflows are to AWS. Apart from the stacks, as it is what lets them in."""

import sys
from pathlib import Path

import pulumi
import pulumi_aws as aws

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from slipway.infra.names import STACK_TAG, stack_label
from slipway.infra.platforms.aws.ci import CiIdentity
from slipway.infra.platforms.aws.ci_policies import CiArgs
from slipway.infra.platforms.aws.policies import tagged

config = pulumi.Config()
provider = aws.Provider(
    "aws",
    region=config.get("region") or "us-east-1",
    allowed_account_ids=[config.require("account")],
    default_tags={"tags": {STACK_TAG: stack_label()}},
)
args = CiArgs(
    account=config.require("account"),
    repository=config.require("repository"),
    repository_id=config.require("repositoryId"),
    environment=config.get("environment") or "production",
    state=config.require("state"),
    project="slipway",
    stacks=config.require_object("stacks"),
    store=config.get("store"),
)
ci = CiIdentity("ci", args, pulumi.ResourceOptions(provider=provider, transformations=[tagged]))
pulumi.export("preview", ci.preview)
pulumi.export("deploy", ci.deploy)
