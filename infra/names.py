"""Names of what a stack makes in a cloud: fixed, short enough, its own. `slipway recover` looks for them."""

from __future__ import annotations

import hashlib
import re

import pulumi
from slipway.infra.config.base import ConfigError

STACK_TAG = "slipway:stack"
NAME_TAG = "slipway:name"


def stack_label() -> str:
    """`project/stack`, as the tag and label `slipway:stack` have it."""
    return f"{pulumi.get_project()}/{pulumi.get_stack()}"


def stack_name() -> str:
    """What every physical name of the stack starts with.

    Raises:
        ConfigError: the stack's name has what names in clouds can't have.
    """
    stack = pulumi.get_stack()
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", stack):
        raise ConfigError(f"the stack {stack!r} names what is made: use up to 40 lower-case letters, digits and dashes")
    return f"{pulumi.get_project()}-{stack}"


def bounded(limit: int, *parts: str) -> str:
    """The parts joined by dashes; what is too long keeps its beginning, with a hash of the whole in place of the rest.

    `limit`: characters that the cloud takes.
    """
    name = "-".join(parts)
    if len(name) <= limit:
        return name
    return f"{name[: limit - 7].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
