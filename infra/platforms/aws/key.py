"""The key that encrypts what the stack keeps: secrets of the cluster, models, images, logs, alarms."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from slipway.infra.platforms.aws.policies import document
from slipway.infra.protection import retained

PROMETHEUS = "aps.amazonaws.com"
# Who writes to the topic of alarms, which the key encrypts.
PUBLISHERS = ("cloudwatch.amazonaws.com", "budgets.amazonaws.com", PROMETHEUS)


@dataclass(frozen=True, kw_only=True)
class KeyArgs:
    """`production`: whether a destroy leaves it."""

    name: str
    region: str
    account: str
    production: bool


class StackKey(pulumi.ComponentResource):
    """Owns one KMS key that rotates. IAM decides who uses it, and three services by themselves. Output: `arn`."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:StackKey", name, None, opts)
        own = pulumi.ResourceOptions(parent=self, **retained(args.production))
        key = aws.kms.Key(
            "key",
            description=f"Everything that {args.name} keeps",
            enable_key_rotation=True,
            deletion_window_in_days=30 if args.production else 7,
            policy=_policy(args),
            opts=own,
        )
        aws.kms.Alias("key", name=f"alias/{args.name}", target_key_id=key.key_id, opts=own)
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})


def _policy(args: KeyArgs) -> str:
    used = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    logs = f"arn:aws:logs:{args.region}:{args.account}:log-group:*"
    own = {"StringEquals": {"aws:SourceAccount": args.account}}
    return document(
        {
            "Sid": "AccountDecidesByIam",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{args.account}:root"},
            "Action": ["kms:*"],
            "Resource": ["*"],
        },
        {
            "Sid": "LogGroups",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{args.region}.amazonaws.com"},
            "Action": used,
            "Resource": ["*"],
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
        },
        {
            "Sid": "AlarmsToTheTopic",
            "Effect": "Allow",
            "Principal": {"Service": list(PUBLISHERS)},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": ["*"],
            "Condition": own,
        },
    )
