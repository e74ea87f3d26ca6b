"""Looks for what a stack may have left in a Kubernetes cluster, by its labels, and removes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from slipway.infra.config.base import PROJECT
from slipway.infra.config.stack import StackConfig
from slipway.infra.names import IDENTITY_LABEL
from slipway.infra.platforms.answers import Swept, whose
from slipway.infra.platforms.kubernetes.client import client
from slipway.infra.workload.names import STACK, stack_label

SECONDS = 120.0
# What others keep about objects, and end with them.
KEPT_BY_OTHERS = ("Event", "Endpoints", "EndpointSlice", "PodMetrics", "NodeMetrics", "ControllerRevision")


def sweep(stack: str, identity: str, config: StackConfig) -> Swept:
    """(What was looked at, what could not be removed) after a destroy; objects of other stacks, also of
    the same name, are left alone. If the stack's identity is not known, nothing is removed and everything found is
    reported.
    """
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.dynamic.exceptions import DynamicApiError
    from urllib3.exceptions import HTTPError

    label = stack_label(PROJECT, stack)
    try:
        server = client(config)
        kinds = list(_kinds(server))
        named = list(_labelled(kinds, label))
        found = [(kind, each) for kind, each in named if identity and _identity(each) == identity]
        others = [
            f"{_name(kind, each)}, {whose(_identity(each))}"
            for kind, each in named
            if not identity or _identity(each) != identity
        ]
        for kind, each in found:
            _delete(kind, each)
        left = _until_gone(kinds, f"{label},{IDENTITY_LABEL}={identity}") if identity else others
    except (ConfigException, HTTPError, DynamicApiError, OSError) as error:
        return [], [f"the cluster can't be looked at: {str(error).splitlines()[0] if str(error) else error!r}"]
    looked = [f"{len(kinds)} kinds of objects in {server.configuration.host}, label {STACK}={label}: "
              + (f"{len(found)} found and removed" if found else "none found")]  # fmt: skip
    looked += [f"removed {_name(kind, each)}" for kind, each in found]
    looked += [f"left alone: {each}" for each in others if identity]
    return looked, left


def _kinds(server: Any) -> Iterator[Any]:
    """Everything that can be listed and deleted, once each."""
    seen = set()
    for kind in server.resources.search():
        verbs = getattr(kind, "verbs", None) or ()
        name = (getattr(kind, "group", None), kind.kind)
        wanted = {"list", "delete"} <= set(verbs) and "/" not in kind.name and kind.kind not in KEPT_BY_OTHERS
        if wanted and name not in seen and not kind.kind.endswith("List"):
            seen.add(name)
            yield kind


def _labelled(kinds: list[Any], label: str) -> Iterator[tuple[Any, Any]]:
    """What carries the label and belongs to nothing else: what it owns goes with it."""
    from kubernetes.dynamic.exceptions import ForbiddenError, MethodNotAllowedError, NotFoundError

    for kind in kinds:
        try:
            items = kind.get(label_selector=f"{STACK}={label}").items
        except (ForbiddenError, MethodNotAllowedError, NotFoundError):
            continue  # a kind that this user may not list, or whose server is away
        yield from ((kind, each) for each in items if not each.metadata.ownerReferences)


def _identity(each: Any) -> str:
    labels = each.metadata.labels
    return str(labels.to_dict().get(IDENTITY_LABEL, "") if labels else "")


def _delete(kind: Any, each: Any) -> None:
    from kubernetes.dynamic.exceptions import NotFoundError

    try:
        kind.delete(
            name=each.metadata.name, namespace=each.metadata.namespace, body={"propagationPolicy": "Background"}
        )
    except NotFoundError:
        return


def _until_gone(kinds: list[Any], label: str) -> list[str]:
    end = time.monotonic() + SECONDS
    while left := [_name(kind, each) for kind, each in _labelled(kinds, label)]:
        if time.monotonic() > end:
            return left
        time.sleep(1)
    return []


def _name(kind: Any, each: Any) -> str:
    place = f"{each.metadata.namespace}/" if each.metadata.namespace else ""
    return f"{kind.kind} {place}{each.metadata.name}"
