"""A pause after grants, which Google takes up to minutes to know of everywhere."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

# Seconds; what uses a grant at once is refused for it, and the plugin does not try again.
VARIABLE, PAUSE = "SLIPWAY_GRANT_SECONDS", "60"


class GrantsSettledProvider(ResourceProvider):
    """Stateless, so it serializes by name alone."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        time.sleep(float(os.environ.get(VARIABLE, PAUSE)))
        return CreateResult("settled", props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        other = olds["grants"] != news["grants"]
        return DiffResult(changes=other, replaces=["grants"] if other else [])


class GrantsSettled(Resource, module="slipway", name="GrantsSettled"):
    """Owns nothing: it is there once the grants are old enough to be relied on."""

    def __init__(self, name: str, grants: Sequence[pulumi.Input[str]], opts: pulumi.ResourceOptions) -> None:
        super().__init__(GrantsSettledProvider(), name, {"grants": list(grants)}, opts)

    def after(self, value: pulumi.Input[str]) -> pulumi.Output[str]:
        """The value, for what has to wait. It is known in a preview: what is new here must not replace what has it."""
        return pulumi.Output.all(value, self.urn).apply(lambda known: str(known[0]))
