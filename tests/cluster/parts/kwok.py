"""kwok plays the kubelet of nodes that do not exist: those with its annotation, made by a test."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from tests.cluster.node import Node

SERVED_AT = "127.0.0.1:10247"
ANNOTATION = "kwok.x-k8s.io/node"


def start(node: Node) -> None:
    binary = node.built("kwok", "kwok")
    stages = [f"--config={file}" for file in sorted(binary.parent.glob("*.yaml"))]
    node.start(
        "kwok", binary,
        f"--kubeconfig={node.pki}/admin.yaml", *stages,
        "--manage-all-nodes=false", f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
        "--node-lease-duration-seconds=40", f"--server-address={SERVED_AT}", "--cidr=10.237.0.0/16",
    )  # fmt: skip
    node.until("kwok", lambda: urlopen(f"http://{SERVED_AT}/healthz", timeout=1).status == 200)
