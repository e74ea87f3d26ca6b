"""metrics-server: what pods use, for autoscalers. A process of the node, behind a Service without pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster import places

if TYPE_CHECKING:
    from tests.cluster.node import Node

NAME, SPACE = "metrics-server", "kube-system"
VERSION, GROUP = "v1beta1", "metrics.k8s.io"


def start(node: Node) -> None:
    keys = node.pki
    node.start(
        NAME, node.built("metrics-server", "metrics-server"),
        f"--kubeconfig={keys}/admin.yaml", f"--authentication-kubeconfig={keys}/admin.yaml",
        f"--authorization-kubeconfig={keys}/admin.yaml",
        f"--secure-port={places.METRICS}", f"--cert-dir={node.folder('metrics-pki')}",
        "--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP",
        "--metric-resolution=10s", "--kubelet-request-timeout=5s",
    )  # fmt: skip
    node.kubectl("apply", "-f", "-", stdin=answering(NAME, places.METRICS, GROUP, VERSION))


def answering(name: str, port: int, group: str, version: str) -> list[dict[str, Any]]:
    """The objects by which the API server leads a part of its API to a process of the node."""
    named = [{"name": "https", "port": port}]
    slices = _object("discovery.k8s.io/v1", "EndpointSlice", name, ports=named, addressType="IPv4")
    slices["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    return [
        _object("v1", "Service", name, spec={"ports": [{"name": "https", "port": 443, "targetPort": port}]}),
        {**slices, "endpoints": [{"addresses": [places.NODE_ADDRESS]}]},
        _object(
            "apiregistration.k8s.io/v1", "APIService", f"{version}.{group}",
            spec={
                "group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100,
                "insecureSkipTLSVerify": True, "service": {"name": name, "namespace": SPACE},
            },
        ),
    ]  # fmt: skip


def _object(version: str, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    space = {} if kind == "APIService" else {"namespace": SPACE}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **space}, **fields}
