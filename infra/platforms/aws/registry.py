"""Where a service's images are."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from slipway.infra.protection import retained
from slipway.infra.resources.image import Registry

UNTAGGED_DAYS = 14


@dataclass(frozen=True, kw_only=True)
class RepositoryArgs:
    """`repository`: its name, `<stack>/<service>`."""

    repository: str
    key_arn: pulumi.Input[str]
    production: bool


class ImageRepository(pulumi.ComponentResource):
    """Owns a repository whose tags never move, but for those of build caches, and what drops the caches of before."""

    def __init__(self, name: str, args: RepositoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:ImageRepository", name, None, opts)
        own = pulumi.ResourceOptions(parent=self, **retained(args.production))
        self.repository = aws.ecr.Repository(
            name,
            name=args.repository,
            image_tag_mutability="IMMUTABLE_WITH_EXCLUSION",
            image_tag_mutability_exclusion_filters=[{"filter": "buildcache*", "filter_type": "WILDCARD"}],
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key_arn}],
            force_delete=not args.production,
            opts=own,
        )
        aws.ecr.LifecyclePolicy(name, repository=self.repository.name, policy=_life_cycle(), opts=own)
        self.register_outputs({})


def registry_of(account: str, region: str, stack: str) -> Registry:
    """The registry that is in every account; a service's repository is in it under the stack's name."""
    return Registry(repository=f"{account}.dkr.ecr.{region}.amazonaws.com/{stack}")


def _life_cycle() -> str:
    """Every deployed image has a tag, its key, and none of them goes: a stack may go back to it, and a new node pulls
    it. A cache whose tag has moved on has none."""
    old = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": UNTAGGED_DAYS}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": old, "action": {"type": "expire"}}]})
