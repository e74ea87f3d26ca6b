"""The kubelet and kube-proxy: pods, and the addresses of services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.cluster import places
from tests.cluster.parts.containerd import SOCKET

if TYPE_CHECKING:
    from tests.cluster.node import Node


def start(node: Node) -> None:
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(node.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{places.CGROUP}",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "resolvConf": "",
        "clusterDNS": [places.NAMES],
        # The machine is shared: its disk filling up is not the pods' doing.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
    }
    file = node.run / "kubelet.yaml"
    file.write_text(yaml.safe_dump(settings))
    node.start(
        "kubelet", node.built("kubernetes", "kubelet"),
        f"--config={file}", f"--kubeconfig={node.pki}/kubelet.yaml", f"--root-dir={node.folder('kubelet')}",
        f"--cert-dir={node.folder('kubelet-pki')}", f"--hostname-override={places.NODE}",
        f"--node-ip={places.NODE_ADDRESS}", "--node-labels=topology.kubernetes.io/zone=zone-a",
    )  # fmt: skip
    node.start(
        "kube-proxy", node.built("kubernetes", "kube-proxy"),
        f"--kubeconfig={node.pki}/proxy.yaml", f"--hostname-override={places.NODE}", "--proxy-mode=iptables",
        f"--cluster-cidr={places.PODS}", f"--nodeport-addresses=127.0.0.0/8,{places.NODE_ADDRESS}/32",
        "--conntrack-max-per-core=0", "--iptables-min-sync-period=100ms",
    )  # fmt: skip
    node.until("the node", lambda: node.kubectl("wait", "--for=condition=Ready", f"node/{places.NODE}", "--timeout=1s"))
    node.until("the default account", lambda: node.kubectl("get", "serviceaccount", "default"))
