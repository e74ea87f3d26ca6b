"""What a platform gives and the workload takes: values that let no cloud leak through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import pulumi


class _InPlace(TypedDict):
    enable_secret_mutable: bool
    enable_config_map_mutable: bool


# Settings of every Kubernetes provider. Without them it replaces a Secret or ConfigMap whose content changes: new keys
# would take the old ones away first, and in production the engine would refuse them.
IN_PLACE: _InPlace = {"enable_secret_mutable": True, "enable_config_map_mutable": True}


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How pods get onto a kind of node: as in a pod's spec. `resource`: what a container asks for to get a GPU; the
    same in all of an accelerator. `spot`: its nodes may be taken away."""

    selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    resource: str | None = None
    runtime_class: str | None = None
    spot: bool = False


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A Kubernetes cluster as the workload sees it.

    `placements`: by accelerator (`none`, `nvidia`), the preferred first. `clients`: CIDRs of what may ask the pods
    besides those of their namespace (load balancer, gateway). `client_namespaces`, `scrapers`: namespaces whose pods
    may ask, and scrape. `egress`: CIDRs and ports that pods need besides DNS, such as the cloud's identity agent.
    `account_annotations`: of the service accounts, where identity needs them. `monitoring`: whose objects tell what to
    scrape (`prometheus`: PodMonitor, `google`: PodMonitoring). `prometheus`: where KEDA asks for metrics. `models`: a
    pod's volume source with the artifact store, where it is mounted: folders `sha256-<digest>`. `requests_metric`: what
    the cluster's metrics API calls the share of a Service's request rate that is in use. `loaded`: images that we build
    are brought to the nodes, and never pulled. `pull_secret`: a Secret that pods pull images with. `fixed_user`: pods
    run as a user that the image knows; else the cluster assigns one. `grace`: seconds that a pod has to end in at
    least. `ready`: what has to be there before a pod is scheduled (node pools, add-ons)."""

    provider: pulumi.ProviderResource
    namespace: pulumi.Input[str]
    placements: Mapping[str, Sequence[Placement]]
    clients: Sequence[pulumi.Input[str]] = ()
    egress: Sequence[tuple[str, int]] = ()
    account_annotations: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    monitoring: str | None = None
    client_namespaces: Sequence[str] = ()
    scrapers: Sequence[str] = ()
    prometheus: str | None = None
    models: Mapping[str, Any] | None = None
    requests_metric: str | None = None
    loaded: bool = False
    pull_secret: str | None = None
    fixed_user: bool = True
    grace: int = 0
    ready: Sequence[pulumi.Resource] = ()
