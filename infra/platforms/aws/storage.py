"""Where models are, and where the logs of access to them and to the edge go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
from slipway.infra.names import bounded, models_bucket
from slipway.infra.platforms.aws.policies import document
from slipway.infra.protection import retained

LOG_DAYS = 90
OLD_VERSION_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """`production`: a destroy leaves the buckets and all that guards them; else it empties them."""

    name: str
    account: str
    region: str
    key_arn: pulumi.Input[str]
    production: bool
    log_days: int


class Storage(pulumi.ComponentResource):
    """Owns two buckets: `models`, encrypted with the stack's key, its artifacts under keys that never change; `logs`,
    encrypted with S3's own key, as load balancers and S3 can write to no other.

    Outputs: `bucket`, `bucket_arn`, `logs`, once it may be written to.
    """

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:Storage", name, None, opts)
        self._args, self._own = args, pulumi.ResourceOptions(parent=self, **retained(args.production))
        self.bucket_name = models_bucket(args.name, args.account)
        self.bucket_arn = f"arn:aws:s3:::{self.bucket_name}"
        logs_name = bounded(63, args.name, "logs", args.account)
        logs, writable = self._bucket("logs", logs_name, {"sse_algorithm": "AES256"}, _log_writers(args, logs_name))
        models, _ = self._bucket(
            "models", self.bucket_name, {"sse_algorithm": "aws:kms", "kms_master_key_id": args.key_arn}, ()
        )
        own = self._own
        aws.s3.BucketLifecycleConfiguration(
            "models",
            bucket=models.bucket,
            rules=[
                {
                    "id": "old-versions",
                    "status": "Enabled",
                    "filter": {},
                    "noncurrent_version_expiration": {"noncurrent_days": OLD_VERSION_DAYS},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
                }
            ],
            opts=own,
        )
        aws.s3.BucketLifecycleConfiguration(
            "logs",
            bucket=logs.bucket,
            rules=[
                {
                    "id": "old-logs",
                    "status": "Enabled",
                    "filter": {},
                    "expiration": {"days": args.log_days},
                    "noncurrent_version_expiration": {"noncurrent_days": 1},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
                }
            ],
            opts=own,
        )
        aws.s3.BucketLogging("models", bucket=models.bucket, target_bucket=writable, target_prefix="s3/", opts=own)
        self.bucket, self.logs = models.bucket, writable
        self.register_outputs({})

    def _bucket(
        self, name: str, physical: str, rule: Any, writers: Sequence[dict[str, Any]]
    ) -> tuple[aws.s3.Bucket, pulumi.Output[str]]:
        """The bucket, and its name once those who write to it may."""
        own = self._own
        bucket = aws.s3.Bucket(
            name,
            bucket=physical,
            force_destroy=not self._args.production,
            opts=own,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.bucket,
            rules=[{"apply_server_side_encryption_by_default": rule, "bucket_key_enabled": True}],
            opts=own,
        )
        aws.s3.BucketOwnershipControls(
            name, bucket=bucket.bucket, rule={"object_ownership": "BucketOwnerEnforced"}, opts=own
        )
        aws.s3.BucketVersioning(name, bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=own)
        closed = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=own,
        )
        policy = aws.s3.BucketPolicy(
            name,
            bucket=bucket.bucket,
            policy=document(*_tls_only(physical), *writers),
            opts=pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(depends_on=[closed])),
        )
        return bucket, policy.bucket


def _tls_only(bucket: str) -> list[dict[str, Any]]:
    places = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    denied = {"Effect": "Deny", "Principal": "*", "Action": ["s3:*"], "Resource": places}
    return [
        {"Sid": "NoPlainHttp", **denied, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Sid": "NoOldTls", **denied, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
    ]


def _log_writers(args: StorageArgs, bucket: str) -> list[dict[str, Any]]:
    own = {"StringEquals": {"aws:SourceAccount": args.account}}
    return [
        {
            "Sid": "LoadBalancerLogs",
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": ["s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{bucket}/edge/AWSLogs/{args.account}/*"],
            "Condition": own,
        },
        {
            "Sid": "BucketLogs",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": ["s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{bucket}/s3/*"],
            "Condition": own,
        },
    ]
