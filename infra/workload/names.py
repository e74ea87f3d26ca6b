"""Labels: how objects are selected, and how a stack's are found again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from slipway.infra.config.scaling import ClusterServing

# A part of a manifest, in Kubernetes' own words.
Manifest = Any
STACK, NAME, PART = "slipway-stack", "slipway-name", "slipway-part"
SERVICE, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
# Where the services of a stack are in a cluster that is the stack's own.
NAMESPACE = "slipway"
# What a namespace has besides its services, of the kinds that are named after a service.
NOT_SERVICES = {"default": "Kubernetes' own account", "default-deny": "the network policy", "scraper": "another policy"}


def stack_label(project: str, stack: str) -> str:
    """`<project>-<stack>` in the 63 characters that a label's value has."""
    return _value(f"{project}-{stack}")


def this_stack() -> str:
    """The label of the stack that runs."""
    return stack_label(pulumi.get_project(), pulumi.get_stack())


def labels(name: str) -> dict[str, str]:
    """Of everything. `name`: the logical name of what it belongs to."""
    return {
        SERVICE: _value(name),
        INSTANCE: this_stack(),
        "app.kubernetes.io/managed-by": "slipway",
        STACK: this_stack(),
        NAME: _value(name),
    }


def selector(service: str) -> dict[str, str]:
    """Finds the pods of a service, whatever their version."""
    return {SERVICE: service, STACK: this_stack()}


def taken(services: Mapping[str, ClusterServing]) -> Iterator[str]:
    """A sentence for each service whose objects would have the names of others in the namespace."""
    bases = {f"{name}-base": f"the part of {name} that stays off spot nodes"
             for name, each in services.items() if each.scale.onDemand}  # fmt: skip
    for name, whose in {**NOT_SERVICES, **bases}.items():
        if name in services:
            yield f"services.{name}: in its namespace that is the name of {whose}: call it otherwise"


def metadata(
    name: str, namespace: pulumi.Input[str], service: str, annotations: Mapping[str, pulumi.Input[str]] | None = None
) -> Manifest:
    """Of an object that belongs to a service."""
    found: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels(service)}
    return {**found, "annotations": dict(annotations)} if annotations else found


def _value(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", text).strip("-_.")
    if len(plain) <= 63:
        return plain
    return f"{plain[:54]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
