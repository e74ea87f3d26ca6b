"""Where the services' images are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
from slipway.infra.names import bounded
from slipway.infra.protection import retained
from slipway.infra.resources.image import Registry

# Of a service; Google knows no rule for what runs. A version costs its model's layer, so many are kept for long: what a
# stack has gone back to is older than what it came from.
KEPT, DAYS = 100, 180
DAY = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """`name`: what names start with. `key`: encrypts the images."""

    name: str
    project: pulumi.Input[str]
    region: str
    key: pulumi.Input[str]
    production: bool


class ImageRegistry(pulumi.ComponentResource):
    """Owns two repositories: one whose tags never move, and one for build caches, whose tags have to. What is old goes.

    Output: `images`, the name of the first.
    """

    images: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:ImageRegistry", name, None, opts)
        self._args = args
        newest: dict[str, Any] = {"id": "newest", "action": "KEEP", "most_recent_versions": {"keep_count": KEPT}}
        images = self._repository(
            "images", [newest, _older(DAYS)], pulumi.ResourceOptions(parent=self, **retained(args.production))
        )
        self._repository("cache", [_older(14)], pulumi.ResourceOptions(parent=self), immutable=False)
        self.images = images.name
        self.register_outputs({})

    def _repository(
        self, name: str, policies: Sequence[Any], opts: pulumi.ResourceOptions, immutable: bool = True
    ) -> gcp.artifactregistry.Repository:
        return gcp.artifactregistry.Repository(
            name,
            repository_id=bounded(63, self._args.name, name),
            project=self._args.project,
            location=self._args.region,
            format="DOCKER",
            kms_key_name=self._args.key,
            docker_config={"immutable_tags": immutable},
            vulnerability_scanning_config={"enablement_config": "INHERITED" if immutable else "DISABLED"},
            cleanup_policies=policies,
            cleanup_policy_dry_run=False,
            opts=opts,
        )


def registry_of(project: str, region: str, name: str) -> Registry:
    """Both repositories by their addresses, known before they are made."""
    host = f"{region}-docker.pkg.dev/{project}"
    return Registry(repository=f"{host}/{bounded(63, name, 'images')}", cache=f"{host}/{bounded(63, name, 'cache')}")


def _older(days: int) -> dict[str, Any]:
    return {"id": "old", "action": "DELETE", "condition": {"older_than": f"{days * DAY}s"}}
