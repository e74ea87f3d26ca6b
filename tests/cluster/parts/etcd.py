"""etcd: the API server's store."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import urlopen

from tests.cluster import places

if TYPE_CHECKING:
    from tests.cluster.node import Node


def start(node: Node) -> None:
    node.start(
        "etcd", node.built("etcd", "etcd"),
        "--data-dir", node.folder("etcd"),
        "--listen-client-urls", places.ETCD,
        "--advertise-client-urls", places.ETCD,
        "--listen-peer-urls", "http://127.0.0.1:2380",
        "--initial-advertise-peer-urls", "http://127.0.0.1:2380",
        "--initial-cluster", "default=http://127.0.0.1:2380",
        "--unsafe-no-fsync",  # it need not outlive the machine
        "--log-level", "warn",
    )  # fmt: skip
    node.until("etcd", lambda: urlopen(f"{places.ETCD}/health", timeout=1).status == 200)
