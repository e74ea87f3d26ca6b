"""What the project may cost in a month, and who hears when it is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class BudgetArgs:
    """`number`: of the project. `channels`: who hears of it, besides the billing account's own people."""

    name: str
    number: pulumi.Input[str]
    billing_account: str
    monthly: int
    currency: str
    channels: Sequence[pulumi.Input[str]]


class Budget(pulumi.ComponentResource):
    """Owns a monthly budget of the whole project: load balancers and traffic carry no labels. It stops nothing."""

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:Budget", name, None, opts)
        gcp.billing.Budget(
            name,
            display_name=args.name,
            billing_account=args.billing_account,
            amount={"specified_amount": {"units": str(args.monthly), "currency_code": args.currency}},
            budget_filter={"projects": [pulumi.Output.format("projects/{0}", args.number)]},
            threshold_rules=[
                {"threshold_percent": share, "spend_basis": basis}
                for basis, share in (("CURRENT_SPEND", 0.8), ("FORECASTED_SPEND", 1.0))
            ],
            all_updates_rule={"monitoring_notification_channels": list(args.channels)} if args.channels else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
