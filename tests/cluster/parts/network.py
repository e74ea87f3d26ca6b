"""The node's mounts, links and kernel settings. All of it is the namespaces' own and goes with them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import places

if TYPE_CHECKING:
    from tests.cluster.node import Node

# The parts insist on these folders, whatever their settings say.
OWN_FOLDERS = ("/run", "/var/log", "/var/lib")
SETTINGS = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    # A client that opens a connection per request would meet the address translation of pods that are gone.
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": "1",
}
# The whole machine's. The kubelet reads these from a copy and finds them as it wants them.
SHIELDED = {
    "vm.overcommit_memory": "1", "vm.panic_on_oom": "0", "kernel.panic": "10", "kernel.panic_on_oops": "1",
    "kernel.keys.root_maxkeys": "1000000", "kernel.keys.root_maxbytes": "25000000",
}  # fmt: skip
CNI = {
    "cniVersion": "1.0.0",
    "name": "slipway",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni",
                "ranges": [[{"subnet": places.PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


def private_mounts() -> None:
    """Before anything is started: folders of our own over the machine's, and settings that can't reach it."""
    _do("mount", "--make-rshared", "/")
    for folder in OWN_FOLDERS:
        _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    shield = Path("/run/shield")
    shield.mkdir()
    for name, value in SHIELDED.items():
        (shield / name).write_text(value + "\n")
        _do("mount", "--bind", str(shield / name), f"/proc/sys/{name.replace('.', '/')}")


def start(node: Node) -> None:
    _do("hostname", places.NODE)
    for command in (
        "link set lo up",
        "link add node0 type bridge",
        f"address add {places.NODE_ADDRESS}/32 dev node0",
        "link set node0 up",
        "route add default dev node0",
    ):
        _do("ip", *command.split())
    for name, value in SETTINGS.items():
        file = Path("/proc/sys") / name.replace(".", "/")
        if file.exists():
            file.write_text(value)
    (node.folder("cni") / "slipway.conflist").write_text(json.dumps(CNI))


def _do(*command: str) -> None:
    subprocess.run(command, check=True)
