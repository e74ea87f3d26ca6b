"""kube-apiserver, kube-controller-manager and kube-scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster import places

if TYPE_CHECKING:
    from tests.cluster.node import Node


def start(node: Node) -> None:
    keys = node.pki
    node.start(
        "kube-apiserver", node.built("kubernetes", "kube-apiserver"),
        f"--etcd-servers={places.ETCD}",
        "--bind-address=0.0.0.0", f"--secure-port={places.API}", f"--advertise-address={places.NODE_ADDRESS}",
        f"--service-cluster-ip-range={places.SERVICES}",
        f"--service-node-port-range={places.NODE_PORTS[0]}-{places.NODE_PORTS[-1]}",
        f"--tls-cert-file={keys}/apiserver.crt", f"--tls-private-key-file={keys}/apiserver.key",
        f"--client-ca-file={keys}/ca.crt",
        f"--kubelet-client-certificate={keys}/kubelet-client.crt", f"--kubelet-client-key={keys}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys}/accounts.key", f"--service-account-signing-key-file={keys}/accounts.key",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true", "--profiling=false",
        # For metrics-server, which answers a part of the API.
        f"--requestheader-client-ca-file={keys}/ca.crt", "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={keys}/front-proxy.crt", f"--proxy-client-key-file={keys}/front-proxy.key",
        "--enable-aggregator-routing=true",
    )  # fmt: skip
    node.until("kube-apiserver", lambda: node.kubectl("get", "--raw", "/readyz") == "ok", 120)
    node.start(
        "kube-controller-manager", node.built("kubernetes", "kube-controller-manager"),
        f"--kubeconfig={keys}/controller-manager.yaml", "--leader-elect=false", "--bind-address=127.0.0.1",
        "--use-service-account-credentials=true", f"--service-account-private-key-file={keys}/accounts.key",
        f"--root-ca-file={keys}/ca.crt", "--horizontal-pod-autoscaler-sync-period=5s", "--profiling=false",
    )  # fmt: skip
    node.start(
        "kube-scheduler", node.built("kubernetes", "kube-scheduler"),
        f"--kubeconfig={keys}/scheduler.yaml", "--leader-elect=false", "--bind-address=127.0.0.1", "--profiling=false",
    )  # fmt: skip
