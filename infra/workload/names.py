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
# What a namespace may be called.
LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
SERVICE, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
# Where versions before docs/adr/0034 put the services of every stack in a cloud.
NAMESPACE = "slipway"
# Names in a namespace that are not a service's, of kinds that are named after services.
NOT_SERVICES = {
    "default": "the account that Kubernetes creates", "default-deny": "a network policy", "scraper": "a network policy"
}  # fmt: skip


def stack_label(project: str, stack: str) -> str:
    """`<project>-<stack>` in the 63 characters that a label's value has."""
    return _value(f"{project}-{stack}")


def namespace_of(project: str, stack: str, chosen: str | None = None) -> str:
    """The namespace of a stack's services: as configured, else one of its own. A stack whose name is not valid in a
    namespace gets a hash, so that `a.b` and `a_b` differ."""
    plain = re.sub(r"[^a-z0-9-]", "-", f"{project}-{stack}".lower())[:63].strip("-")
    whole = f"{project}-{stack}"
    if chosen or plain == whole:
        return chosen or plain
    return f"{plain[:54].rstrip('-')}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


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
    """A sentence for each service whose objects would have the names of other objects in the namespace."""
    bases = {f"{name}-base": f"the pods of {name} off spot nodes"
             for name, each in services.items() if each.scale.onDemand}  # fmt: skip
    for name, whose in {**NOT_SERVICES, **bases}.items():
        if name in services:
            yield f"services.{name}: the namespace already uses this name for {whose}: choose another"


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
