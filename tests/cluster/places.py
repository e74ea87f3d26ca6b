"""Where the cluster's things are: addresses, ports and folders. Everything but the listed ports is inside it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster.cache import folder

# The node's address is on a bridge without ports, in a network namespace that leads nowhere.
NODE_ADDRESS = "10.234.0.1"
SERVICES = "10.235.0.0/16"
FIRST_SERVICE = "10.235.0.1"
NAMES = "10.235.0.10"  # where pods ask for names; nobody answers, as no test needs names yet
PODS = "10.236.0.0/24"
NODE = "node"

# The same on 127.0.0.1 inside and outside.
FIRST = int(os.environ.get("SLIPWAY_CLUSTER_PORT", "20600"))
API, REGISTRY = FIRST, FIRST + 1
NODE_PORTS = range(FIRST + 10, FIRST + 42)
PORTS = (API, REGISTRY, *NODE_PORTS)

# Inside only.
ETCD = "http://127.0.0.1:2379"
METRICS = 4443
KEDA = 4444

CGROUP = "slipway-cluster"


def run_folder() -> Path:
    """All that a running cluster writes; `down` removes it."""
    return folder() / "run"


def kubeconfig() -> Path:
    """The administrator's, there while the cluster is up."""
    return run_folder() / "kubeconfig.yaml"
