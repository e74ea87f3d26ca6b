"""Names of what a stack makes in a cloud: fixed, short enough, its own. `slipway recover` looks for them.

Names of single parts of a stack end with a fixed role; names that contain a user's name end with a hash (`own_name`).
"""

from __future__ import annotations

import hashlib
import re

import pulumi
from slipway.infra.config.base import ConfigError

STACK_TAG = "slipway:stack"
NAME_TAG = "slipway:name"
# The stack's identity (`resources/identity.py`): as a tag, and as a label, which takes no colon.
IDENTITY_TAG, IDENTITY_LABEL = "slipway:identity", "slipway-identity"
# `ignore_changes` of resources with an `own_name`: those that earlier versions named otherwise keep their names.
KEEPS_ITS_NAME = ["name"]


def stack_label() -> str:
    """`project/stack`, as the tag and label `slipway:stack` have it."""
    return f"{pulumi.get_project()}/{pulumi.get_stack()}"


def stack_name() -> str:
    """What every physical name of the stack starts with.

    Raises:
        ConfigError: the stack's name has what names in clouds can't have.
    """
    return name_of(pulumi.get_project(), pulumi.get_stack())


def name_of(project: str, stack: str) -> str:
    """The same outside of the running program."""
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", stack):
        raise ConfigError(f"the stack {stack!r} names what is made: use up to 40 lower-case letters, digits and dashes")
    return f"{project}-{stack}"


def models_bucket(name: str, place: str) -> str:
    """The stack's bucket. `place`: the account's number or the project's id, as such names are unique in the world."""
    return bounded(63, name, "models", place)


def bounded(limit: int, *parts: str) -> str:
    """The parts joined by dashes; what is too long keeps its beginning, with a hash of the whole in place of the rest.

    `limit`: characters that the cloud takes.
    """
    name = "-".join(parts)
    return name if len(name) <= limit else _ended(name, name, limit)


def own_name(limit: int, stack: str, *parts: str) -> str:
    """The name of a resource of a service or pool: the parts, and a hash over the parts as separate words. Service `c`
    of stack `a-b` then differs from service `b-c` of stack `a`, and a service called `nodes` from the stack's nodes.

    `limit`: characters that the cloud takes.
    """
    return _ended("-".join((stack, *parts)), "/".join((stack, *parts)), limit)


def _ended(name: str, hashed: str, limit: int) -> str:
    return f"{name[: limit - 7].rstrip('-')}-{hashlib.sha256(hashed.encode()).hexdigest()[:6]}"
