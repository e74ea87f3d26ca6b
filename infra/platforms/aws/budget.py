"""What the stack may cost in a month, and who hears when it is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from slipway.infra.names import STACK_TAG


@dataclass(frozen=True, kw_only=True)
class BudgetArgs:
    """`stack_label`: what the tag of the stack's resources says; nodes are found by their cluster."""

    name: str
    account: str
    stack_label: str
    cluster_name: str
    monthly_usd: int
    emails: Sequence[str]
    topic_arn: pulumi.Input[str]


class Budget(pulumi.ComponentResource):
    """Owns a monthly budget of what carries the stack's tag, or EKS's of its cluster. Both have to be active as cost
    allocation tags, which an account's owner does once."""

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Budget", name, None, opts)
        tags = [f"user:{STACK_TAG}${args.stack_label}", f"aws:eks:cluster-name${args.cluster_name}"]
        aws.budgets.Budget(
            name,
            name=args.name,
            account_id=args.account,
            budget_type="COST",
            limit_amount=f"{args.monthly_usd}.0",
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[{"name": "TagKeyValue", "values": tags}],
            notifications=[
                {
                    "notification_type": kind,
                    "comparison_operator": "GREATER_THAN",
                    "threshold": percent,
                    "threshold_type": "PERCENTAGE",
                    "subscriber_email_addresses": list(args.emails),
                    "subscriber_sns_topic_arns": [args.topic_arn],
                }
                for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
