"""A random secret that the stack makes once and keeps, encrypted, in its state."""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider


class RandomSecretProvider(ResourceProvider):
    """Makes 32 random bytes. Stateless, so it serializes by name alone."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("made", {"value": secrets.token_hex(32)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=False)


class RandomSecret(Resource, module="slipway", name="RandomSecret"):
    """32 random bytes in hex, the same for as long as the stack lives. Output: `value`, a secret."""

    value: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(RandomSecretProvider(), name, {"value": None}, pulumi.ResourceOptions.merge(opts, hidden))
