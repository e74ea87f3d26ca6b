"""A registry for images that a test builds: 127.0.0.1, plain http, inside and outside."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import urlopen

import yaml

from tests.cluster import places

if TYPE_CHECKING:
    from tests.cluster.node import Node


def start(node: Node) -> None:
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(node.folder("registry"))}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{places.REGISTRY}"},
    }
    file = node.run / "registry.yaml"
    file.write_text(yaml.safe_dump(settings))
    node.start("registry", node.packages / "usr" / "bin" / "docker-registry", "serve", file)
    node.until("the registry", lambda: urlopen(f"http://127.0.0.1:{places.REGISTRY}/v2/", timeout=1).status == 200)
