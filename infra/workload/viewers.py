"""What who only looks may read in a cluster: the previews' role. docs/adr/0035 says why this and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.workload.names import Manifest, labels

NAME = "slipway-viewers"
# By API group: what a stack has in a cluster, and what the provider reads to tell whether it is well. No Secrets.
VIEWED: Mapping[str, Sequence[str]] = {
    "": (
        "namespaces", "configmaps", "services", "serviceaccounts", "pods", "endpoints", "events",
        "persistentvolumeclaims",
    ),
    "apps": ("deployments", "replicasets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "discovery.k8s.io": ("endpointslices",),
    "events.k8s.io": ("events",),
    "networking.k8s.io": ("networkpolicies",),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("clusterroles", "clusterrolebindings"),
}  # fmt: skip


def viewers(
    name: str, subject: Manifest, custom: Mapping[str, Sequence[str]], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Declares the ClusterRole and its binding to `subject` (a group or a user). `custom`: the cloud's own kinds."""
    about: Manifest = {"name": NAME, "labels": labels(name)}
    role = k8s.rbac.v1.ClusterRole(
        name,
        metadata=about,
        rules=[
            {"apiGroups": [group], "resources": list(kinds), "verbs": ["get", "list", "watch"]}
            for group, kinds in sorted({**VIEWED, **custom}.items())
        ],
        opts=opts,
    )
    binding = k8s.rbac.v1.ClusterRoleBinding(
        name,
        metadata=about,
        role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        subjects=[{"apiGroup": "rbac.authorization.k8s.io", **subject}],
        opts=opts,
    )
    return [role, binding]
