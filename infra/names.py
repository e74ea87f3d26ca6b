"""Names of what a stack makes in a cloud: fixed, short enough, its own. `slipway recover` looks for them.

What there is one of in a stack ends with a role that we chose; what a user has named ends with a hash (`own_name`).
"""

from __future__ import annotations

import hashlib
import re

import pulumi
from slipway.infra.config.base import ConfigError

STACK_TAG = "slipway:stack"
NAME_TAG = "slipway:name"
# An option of what has an `own_name`: earlier versions named it otherwise, and what has a name keeps it.
KEEPS_ITS_NAME = ["name"]


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
    return name if len(name) <= limit else _ended(name, name, limit)


def own_name(limit: int, stack: str, *parts: str) -> str:
    """The name of what belongs to a service or a pool, whose name is the user's: the parts, and a hash of where each
    begins and ends. So service `c` of stack `a-b` is not service `b-c` of stack `a`, and a service called `nodes` not
    the stack's nodes.

    `limit`: characters that the cloud takes.
    """
    return _ended("-".join((stack, *parts)), "/".join((stack, *parts)), limit)


def _ended(name: str, hashed: str, limit: int) -> str:
    return f"{name[: limit - 7].rstrip('-')}-{hashlib.sha256(hashed.encode()).hexdigest()[:6]}"
