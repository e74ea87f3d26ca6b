"""A stack's identity: created once, kept in its state, and put on everything that the stack owns."""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
import socket
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider
from slipway.infra.names import IDENTITY_LABEL
from slipway.infra.platforms.table import clouds

TYPE, NAME = "pulumi-python:dynamic/slipway:StackIdentity", "identity"
# The identity that a stack without one gets instead of a new one (`slipway recover --adopt`).
ADOPTED = "SLIPWAY_ADOPTED"
# A label holds 63 characters, the random part included.
WHO_CHARACTERS = 48
DASHBOARD = "gcp:monitoring/dashboard:Dashboard"
# Google deletes no key: the next stack of the name, with another identity, has to be able to import it.
OUTLIVES = "gcp:kms/cryptoKey:CryptoKey"


def fresh() -> str:
    """A new identity: who created it (GitHub's repository in a workflow, else user and machine), and 8 hex digits."""
    try:
        who = os.environ.get("GITHUB_REPOSITORY") or f"{getpass.getuser()}-{socket.gethostname()}"
    except (OSError, KeyError):  # a user without a name
        who = socket.gethostname()
    plain = re.sub(r"[^a-z0-9]+", "-", who.lower())[:WHO_CHARACTERS].strip("-")
    return f"{plain or 'somebody'}-{secrets.token_hex(4)}"


class StackIdentityProvider(ResourceProvider):
    """Creates an identity. Stateless, so it serializes by name alone."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("made", {"value": props.get("adopted") or fresh()})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=False)


class StackIdentity(Resource, module="slipway", name="StackIdentity"):
    """The stack's identity, the same as long as its state exists. Output: `value`, not secret.

    Create it before all other resources: it puts the tag `slipway:identity` or the label `slipway-identity` on each of
    them. They depend on it, so the state has the identity before anything that carries it exists, whenever an update is
    killed.
    """

    value: pulumi.Output[str]

    def __init__(self) -> None:
        super().__init__(StackIdentityProvider(), NAME, {"value": None, "adopted": os.environ.get(ADOPTED)})
        pulumi.runtime.register_stack_transformation(self._mark)

    def _mark(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        marked = _marked(args.type_, type(args.resource), dict(args.props), self.value)
        return pulumi.ResourceTransformationResult(marked, args.opts) if marked else None


def _marked(kind: str, resource: type, props: dict[str, Any], value: pulumi.Output[str]) -> dict[str, Any] | None:
    """The arguments with the identity added to their tags or labels; None if the type takes none."""
    package = kind.partition(":")[0]
    if kind == OUTLIVES:
        return None
    if kind == DASHBOARD:  # its labels are in its text
        text = pulumi.Output.all(props["dashboard_json"], value).apply(lambda known: _labelled(*known))
        return {**props, "dashboard_json": text}
    for cloud in clouds():
        key = next((key for key in cloud.marked if hasattr(resource, key)), None)
        if cloud.package == package and key:
            return {**props, key: {**(props.get(key) or {}), cloud.mark: value}}
    if isinstance(about := props.get("metadata"), dict):  # of an object in a cluster
        return {**props, "metadata": {**about, "labels": {**(about.get("labels") or {}), IDENTITY_LABEL: value}}}
    return None


def _labelled(dashboard: str, value: str) -> str:
    content = json.loads(dashboard)
    return json.dumps({**content, "labels": {**content.get("labels", {}), IDENTITY_LABEL: value}})
