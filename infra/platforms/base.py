"""The platform contract: what the program asks of a platform, and what it gets back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi
from slipway.infra.config.stack import ServiceConfig
from slipway.infra.resources.artifact import ModelArtifact


@dataclass(frozen=True, kw_only=True)
class Served:
    """A service that answers. `url`: its base address, without a trailing slash. `artifact`: its artifact's name in the
    stack's own bucket, where there is one. `callers`: from where the address works."""

    url: pulumi.Output[str]
    callers: pulumi.Input[str] = "whoever reaches the address"
    artifact: pulumi.Output[str] | None = None


class Platform(Protocol):
    """A place where services run. It owns all it declares and nothing of the artifact store.

    `outputs`: what the stack exports besides its services, in camelCase. `proxies`: networks whose x-forwarded-for
    services believe, as they stand between them and their callers.
    """

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[Any]]:
        return {}

    @property
    def proxies(self) -> Sequence[pulumi.Input[str]]:
        return ()

    def serve(self, name: str, service: ServiceConfig, artifact: ModelArtifact, access: pulumi.Output[str]) -> Served:
        """Declares one service on `artifact`; the running version serves until the new one is ready.

        `access`: the text of the access file, a secret. The platform puts it where the service's user alone can read
        it (`--access`), and replaces it there without a restart when it changes.
        """
        ...
