"""Where models are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
from slipway.infra.names import models_bucket
from slipway.infra.protection import retained

OLD_VERSION_DAYS = 30
UNDELETE_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """`project_id`: as text. `production`: a destroy leaves the bucket; else it empties it."""

    name: str
    project_id: str
    project: pulumi.Input[str]
    region: str
    key: pulumi.Input[str]
    production: bool


class Storage(pulumi.ComponentResource):
    """Owns the bucket `models`, encrypted with the stack's key and opened by IAM alone. Accesses to it are in the
    project's audit logs.

    Outputs: `bucket`; `bucket_name`, known before it is made.
    """

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:Storage", name, None, opts)
        self.bucket_name = models_bucket(args.name, args.project_id)
        bucket = gcp.storage.Bucket(
            "models",
            name=self.bucket_name,
            project=args.project,
            location=args.region.upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning={"enabled": True},
            soft_delete_policy={"retention_duration_seconds": UNDELETE_SECONDS if args.production else 0},
            lifecycle_rules=[
                _rule("Delete", days_since_noncurrent_time=OLD_VERSION_DAYS),
                _rule("AbortIncompleteMultipartUpload", age=1),
            ],
            encryption={"default_kms_key_name": args.key},
            force_destroy=not args.production,
            opts=pulumi.ResourceOptions(parent=self, **retained(args.production)),
        )
        self.bucket = bucket.name
        self.register_outputs({})


def _rule(action: str, **condition: int) -> Any:
    return {"action": {"type": action}, "condition": condition}
