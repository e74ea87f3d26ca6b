"""Names of what a stack makes in a cloud: fixed, short enough, and the stack's own. `slipway recover` looks for them."""

from __future__ import annotations

import hashlib

import pulumi

STACK_TAG = "slipway:stack"
NAME_TAG = "slipway:name"


def stack_label() -> str:
    """`project/stack`, as the tag and label `slipway:stack` have it."""
    return f"{pulumi.get_project()}/{pulumi.get_stack()}"


def stack_name() -> str:
    """What every physical name of the stack starts with."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}".lower()


def bounded(limit: int, *parts: str) -> str:
    """The parts joined by dashes; one that is too long keeps its beginning, and a hash of the whole in place of the rest.

    `limit`: characters that the cloud takes.
    """
    name = "-".join(parts)
    if len(name) <= limit:
        return name
    return f"{name[: limit - 7].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
