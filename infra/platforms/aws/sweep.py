"""Looks for what a stack may have left in its AWS account, by its tag. Removes nothing: what is left may hold data."""

from __future__ import annotations

from cli.lookup import tagged_resources
from infra.config import PROJECT, StackConfig
from service.pipeline.errors import PipelineError

# What production retains, by a part of its ARN; and what AWS itself deletes after a while.
RETAINED = ("arn:aws:s3:::", ":repository/")
WAITING = ":key/"


def sweep_aws(stack: str, config: StackConfig) -> tuple[list[str], list[str]]:
    """(What was looked at, what is there and should not be) after a destroy; asked of the tagging API of the region."""
    label, region = f"{PROJECT}/{stack}", config.aws.region or ""
    try:
        found = tagged_resources(label, {"region": region})
    except PipelineError as error:
        return [], [f"the account can't be looked at: {str(error).splitlines()[-1]}"]
    looked = [f"account {config.aws.account}, {region}, tag slipway:stack={label}: {len(found) or 'nothing'} found"]
    left = []
    for arn, name in sorted(found):
        if WAITING in arn:
            looked.append(f"key {name}: AWS deletes it after its waiting time")
        elif config.environment == "production" and any(part in arn for part in RETAINED):
            looked.append(f"retained, as production does: {arn}")
        else:
            left.append(arn)
    return looked, left
