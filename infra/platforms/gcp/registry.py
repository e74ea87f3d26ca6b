"""Where the services' images are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp
from slipway.infra.names import bounded
from slipway.infra.protection import retained
from slipway.infra.resources.image import Registry

# Every deployed image has a tag, its key. Where tags are immutable Google deletes no image that has one; it has no rule
# for "what runs": cloud.google.com/artifact-registry/docs/repositories/update-repo-settings.
UNTAGGED_DAYS, CACHE_DAYS = 14, 14
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
    """Owns two repositories: one whose tags never move, and which keeps every image that has one, and one for build
    caches, whose tags have to move, and from which goes what is old.

    Output: `images`, the name of the first.
    """

    images: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:ImageRegistry", name, None, opts)
        self._args = args
        images = self._repository(
            "images",
            _older(UNTAGGED_DAYS, "UNTAGGED"),
            pulumi.ResourceOptions(parent=self, **retained(args.production)),
        )
        self._repository("cache", _older(CACHE_DAYS, "ANY"), pulumi.ResourceOptions(parent=self), immutable=False)
        self.images = images.name
        self.register_outputs({})

    def _repository(
        self, name: str, clean_up: Any, opts: pulumi.ResourceOptions, immutable: bool = True
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
            cleanup_policies=[clean_up],
            cleanup_policy_dry_run=False,
            opts=opts,
        )


def registry_of(project: str, region: str, name: str) -> Registry:
    """Both repositories by their addresses, known before they are made."""
    host = f"{region}-docker.pkg.dev/{project}"
    return Registry(repository=f"{host}/{bounded(63, name, 'images')}", cache=f"{host}/{bounded(63, name, 'cache')}")


def _older(days: int, state: str) -> dict[str, Any]:
    return {"id": "old", "action": "DELETE", "condition": {"tag_state": state, "older_than": f"{days * DAY}s"}}
