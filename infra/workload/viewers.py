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
    group = {"apiGroup": "rbac.authorization.k8s.io"}
    rules: Manifest = [
        {"apiGroups": [each], "resources": list(kinds), "verbs": ["get", "list", "watch"]}
        for each, kinds in sorted({**VIEWED, **custom}.items())
    ]
    bound: Manifest = {"role_ref": {**group, "kind": "ClusterRole", "name": NAME}, "subjects": [{**group, **subject}]}
    role = k8s.rbac.v1.ClusterRole(name, metadata=about, rules=rules, opts=opts)
    binding = k8s.rbac.v1.ClusterRoleBinding(name, metadata=about, opts=opts, **bound)
    return [role, binding]
