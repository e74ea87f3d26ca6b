"""What the SDK's types take and a cloud or its API server refuses: a rule for each that was met, by type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from slipway.simulator.books import Books

Problem = tuple[str, str]
Rule = Callable[[dict[str, Any]], Iterator[Problem]]


def of(kind: str, inputs: dict[str, Any]) -> Iterator[Problem]:
    """(argument, why it is refused). Unknown values are taken as right."""
    for rule in RULES.get(kind, ()):
        yield from rule(inputs)


def at(value: Any, *path: str) -> Any:
    """What lies at a place of nested objects; None where nothing does."""
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _fixed_port(inputs: dict[str, Any]) -> Iterator[Problem]:
    """The CRD of GKE 2026-03: `port` goes with USE_FIXED_PORT alone, which is not the default."""
    for kind, check in (at(inputs, "spec", "default", "config") or {}).items():
        if isinstance(check, dict) and ("port" in check) != (check.get("portSpecification") == "USE_FIXED_PORT"):
            yield f"spec.default.config.{kind}.port", "goes with portSpecification: USE_FIXED_PORT, and with it alone"


def _no_networks(inputs: dict[str, Any]) -> Iterator[Problem]:
    """Without an endpoint by address the API answers without the block, so each update shows it as a change."""
    if inputs.get("masterAuthorizedNetworksConfig") == {}:
        yield "masterAuthorizedNetworksConfig", "is empty: the API does not keep it, and every update would set it anew"


def _never_deleted(inputs: dict[str, Any]) -> Iterator[Problem]:
    """Google takes the policy and does nothing: with immutable tags no image that has one can be deleted."""
    for policy in inputs.get("cleanupPolicies") or () if at(inputs, "dockerConfig", "immutableTags") else ():
        if policy["action"] == "DELETE" and at(policy, "condition", "tagState") != "UNTAGGED":
            yield "cleanupPolicies", f"{policy['id']} would delete images with tags, which dockerConfig makes immutable"


# Google's own accounts in a project, by a part of their address, and the API whose enabling makes them.
AGENT = re.compile(r"serviceAccount:service-\d+@(?:gcp-sa-)?([a-z-]+)")
MADE_BY = {
    "compute-system": "compute", "gs-project-accounts": "storage", "container-engine-robot": "container",
    "artifactregistry": "artifactregistry", "container": "container",
}  # fmt: skip


def missing_agent(inputs: dict[str, Any], books: Books) -> str:
    """Why a grant is refused: its member is an agent that no enabled API has made yet. Empty where it is not."""
    found = AGENT.match(str(inputs.get("member", "")))
    api = MADE_BY.get(found[1]) if found else None
    enabled = {each["inputs"]["service"] for each in books.all() if each["type"] == "gcp:projects/service:Service"}
    if api is None or f"{api}.googleapis.com" in enabled:
        return ""
    return f"400: service account {inputs['member']} does not exist: {api}.googleapis.com is not enabled"


RULES: dict[str, tuple[Rule, ...]] = {
    "gcp:artifactregistry/repository:Repository": (_never_deleted,),
    "gcp:container/cluster:Cluster": (_no_networks,),
    "kubernetes:networking.gke.io/v1:HealthCheckPolicy": (_fixed_port,),
}
