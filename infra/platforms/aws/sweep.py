"""Looks for what a stack may have left in its AWS account, by its tag. Removes nothing: what is left may hold data."""

from __future__ import annotations

from slipway.infra.config.base import PROJECT
from slipway.infra.config.stack import StackConfig
from slipway.infra.errors import Unanswered
from slipway.infra.platforms.answers import Swept, Tagged, whose
from slipway.infra.platforms.aws.config import AwsConfig

# What production retains, by a part of its ARN; and what AWS itself deletes after a while.
RETAINED = ("arn:aws:s3:::", ":repository/")
WAITING = ":key/"


def sweep(stack: str, identity: str, config: StackConfig, tagged: Tagged) -> Swept:
    """(What was looked at, what is there and should not be) after a destroy; asked of the tagging API of the region.
    What has another identity is left alone. If the stack's own is not known, everything found is reported."""
    own, label = config.of(AwsConfig), f"{PROJECT}/{stack}"
    try:
        found = tagged(label, {"region": own.region or ""})
    except Unanswered as error:
        return [], [f"the account can't be looked at: {str(error).splitlines()[-1]}"]
    looked = [f"account {own.account}, {own.region}, tag slipway:stack={label}: {len(found) or 'nothing'} found"]
    left = []
    for arn, name, carried in sorted(found):
        if identity and carried != identity:
            looked.append(f"left alone, {whose(carried)}: {arn}")
        elif WAITING in arn:
            looked.append(f"key {name}: AWS deletes it after its waiting time")
        elif config.environment == "production" and any(part in arn for part in RETAINED):
            looked.append(f"retained, as production does: {arn}")
        else:
            left.append(arn if identity else f"{arn}, {whose(carried)}")
    return looked, left
