"""containerd with runc, and the images that are there from the start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import images, places

if TYPE_CHECKING:
    from tests.cluster.node import Node

SOCKET = "/run/containerd/containerd.sock"
SETTINGS = """\
version = 2
root = "{root}"
state = "/run/containerd"
disabled_plugins = [{disabled}]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Without CAP_SYS_RESOURCE a lower score than one's own can't be set, and no sandbox would start.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{networks}"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{registries}"
"""
UNUSED = ("aufs", "btrfs", "devmapper", "zfs")


def start(node: Node) -> None:
    registries = node.folder("registries")
    for host in (f"127.0.0.1:{places.REGISTRY}", f"localhost:{places.REGISTRY}"):
        (registries / host).mkdir(exist_ok=True)
        (registries / host / "hosts.toml").write_text(f'[host."http://{host}"]\n')
    file = node.run / "containerd.toml"
    file.write_text(
        SETTINGS.format(
            root=node.folder("containerd"),
            disabled=", ".join(f'"io.containerd.snapshotter.v1.{each}"' for each in UNUSED),
            socket=SOCKET,
            pause=images.PAUSE,
            plugins=node.packages / "usr" / "lib" / "cni",
            networks=node.folder("cni"),
            registries=registries,
        )
    )
    node.start("containerd", node.packages / "usr" / "bin" / "containerd", "--config", file)
    node.until("containerd", lambda: node.do(*_ctr(node), "version"))
    for image in (images.pause(), images.base()):
        node.begin(*_ctr(node), "images", "import", image)


def name_base(node: Node) -> None:
    """Once the images are there: the name that a configuration gives to the base image."""
    if node.base_name != images.BASE:
        node.do(*_ctr(node), "images", "tag", "--force", images.BASE, node.base_name)


def _ctr(node: Node) -> tuple[str | Path, ...]:
    return (node.packages / "usr" / "bin" / "ctr", "--address", SOCKET, "--namespace", "k8s.io")
