"""Labels: the stack's once, on the provider; the logical name on each resource. A label holds no `:` and no `/`."""

from __future__ import annotations

from typing import Any

import pulumi
from slipway.infra.workload.names import NAME, STACK, this_stack


def stack_labels() -> dict[str, str]:
    """What everything of the stack carries."""
    return {STACK: this_stack().lower().replace(".", "_")}


def all_labels(name: str) -> dict[str, str]:
    """The stack's and the logical name, for what the provider's defaults do not reach."""
    return {**stack_labels(), NAME: name}


def labelled(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """Puts the logical name on whatever takes labels."""
    kind = type(args.resource)
    # A notification channel's `labels` are its settings.
    keys = [key for key in ("user_labels", "resource_labels", "labels") if hasattr(kind, key)]
    if not args.type_.startswith("gcp:") or not keys:
        return None
    own = all_labels(args.name) if keys[0] == "user_labels" else {NAME: args.name}
    props: dict[str, Any] = dict(args.props)
    props[keys[0]] = {**(props.get(keys[0]) or {}), **own}
    return pulumi.ResourceTransformationResult(props=props, opts=args.opts)
