"""What the platform kubernetes can be told: which cluster, and what is there already."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from slipway.infra.config.base import Settings
from slipway.infra.config.image import importer
from slipway.infra.workload.names import LABEL


class GatewayConfig(Settings):
    """A Gateway (gateway.networking.k8s.io) that is there; services with a `host` get a route of it."""

    name: str = Field(min_length=1, max_length=253, description="of the Gateway")
    namespace: str = Field(pattern=LABEL, description="of the Gateway, whose pods may ask the services")
    section: str | None = Field(default=None, min_length=1, description="one listener of it; default: all that fit")
    scheme: Literal["http", "https"] = Field(default="https", description="what its listener speaks")


class EgressConfig(Settings):
    """What pods may reach besides DNS."""

    cidr: str = Field(description="a network: 10.0.0.0/8")
    port: int = Field(ge=1, le=65535, description="on it")

    @field_validator("cidr")
    @classmethod
    def _network(cls, cidr: str) -> str:
        return _networks([cidr])[0]


class PlacementConfig(Settings):
    """One kind of node; of several the first is preferred."""

    selector: dict[str, str] = Field(default={}, description="labels of its nodes")
    tolerations: list[dict[str, str | int]] = Field(default=[], description="of its nodes' taints, as in a pod's spec")
    resource: str | None = Field(default=None, description="what a container asks for to get a GPU: nvidia.com/gpu")
    runtimeClass: str | None = Field(default=None, description="RuntimeClass of its pods")
    spot: bool = Field(default=False, description="its nodes may be taken away")
    gpus: int | None = Field(default=None, ge=0, description="GPUs it has at most; default: it grows as needed")


NVIDIA = PlacementConfig(
    tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}], resource="nvidia.com/gpu"
)


class KubernetesConfig(Settings):
    """Any Kubernetes. Credentials are the kubeconfig's, never the state's."""

    kubeconfig: str | None = Field(default=None, min_length=1, description="file; default: $KUBECONFIG, ~/.kube/config")
    context: str | None = Field(default=None, min_length=1, description="of the kubeconfig; default: the current one")
    cluster: str | None = Field(
        default=None, min_length=1, description="names the cluster: another name moves the stack; default: the context"
    )
    namespace: str | None = Field(default=None, pattern=LABEL, description="default: slipway-<stack>")
    createNamespace: bool = Field(default=True, description="make it; or false, where it is there and another's")
    registry: str | None = Field(
        default=None, pattern=r"^[\w.:/-]+[^/]$", description="where images go: registry.example.org/team"
    )
    load: str | None = Field(
        default=None,
        description="instead of a registry, what brings an image to all nodes: kind load docker-image {image}",
    )
    pullSecret: str | None = Field(
        default=None,
        pattern=LABEL,
        description="a Secret that you keep in the namespace, of type kubernetes.io/dockerconfigjson",
    )
    podUser: Literal["fixed", "assigned"] = Field(
        default="fixed", description="fixed: 10001; assigned: the cluster gives pods a user, as OpenShift does"
    )
    gateway: GatewayConfig | None = Field(default=None, description="an existing Gateway: {name: ..., namespace: ...}")
    placements: dict[Literal["none", "nvidia"], list[PlacementConfig]] = Field(
        default={}, description="nodes by accelerator, the preferred first: {nvidia: [{selector: {...}, gpus: 4}]}"
    )
    clients: list[str] = Field(
        default=[], description="networks that may ask the pods, besides the namespace's own pods"
    )
    egress: list[EgressConfig] = Field(default=[], description="what pods may reach besides DNS: [{cidr, port}]")
    monitoring: Literal["prometheus"] | None = Field(
        default=None, description="prometheus: its operator is there, and gets PodMonitor, rules and dashboard"
    )
    monitoringNamespace: str = Field(default="monitoring", pattern=LABEL, description="where the scraper's pods are")
    prometheus: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="its address for KEDA: http://prometheus.monitoring:9090"
    )
    models: str | None = Field(
        default=None, pattern=LABEL, description="a claim that holds the artifact store, for modelFrom: volume"
    )

    @field_validator("load")
    @classmethod
    def _names_the_image(cls, load: str | None) -> str | None:
        return load if load is None else importer(load)

    @field_validator("clients")
    @classmethod
    def _clients(cls, clients: list[str]) -> list[str]:
        return _networks(clients)

    @field_validator("placements")
    @classmethod
    def _alike(cls, placements: dict[Any, list[PlacementConfig]]) -> dict[Any, list[PlacementConfig]]:
        for kind, places in placements.items():
            if not places:
                raise ValueError(f"{kind}: is empty: name at least one kind of node, or remove it")
            if kind == "nvidia" and any(each.resource is None for each in places):
                raise ValueError("nvidia: each needs a resource: nvidia.com/gpu")
            if len({(each.resource, each.runtimeClass) for each in places}) > 1:
                raise ValueError(
                    f"{kind}: a pod asks for one resource and runtimeClass, whichever node it lands on: make them equal"
                )
        return placements

    @property
    def file(self) -> str | None:
        """The path of the kubeconfig that is named; None where the default is taken."""
        return str(Path(self.kubeconfig).expanduser()) if self.kubeconfig else None

    def places(self, accelerator: str) -> list[PlacementConfig]:
        """The kinds of nodes for an accelerator, the preferred first."""
        default = [NVIDIA] if accelerator == "nvidia" else [PlacementConfig()]
        return {str(kind): places for kind, places in self.placements.items()}.get(accelerator, default)


def _networks(networks: list[str]) -> list[str]:
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise ValueError(f"{network!r} is no network such as 10.0.0.0/8: {error}") from None
    return networks
