"""The Helm charts that managed node groups need, and their versions: the only place that names them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Chart:
    """`name`: of the release. `account`: its service account, where it asks AWS for something."""

    name: str
    repository: str
    chart: str
    version: str
    account: str = ""


# Versions as others ran them in 2026; `helm search repo` tells newer ones.
LOAD_BALANCERS = Chart(
    name="load-balancers",
    repository="https://aws.github.io/eks-charts",
    chart="aws-load-balancer-controller",
    version="3.5.0",
    account="load-balancers",
)
AUTOSCALER = Chart(
    name="autoscaler",
    repository="https://kubernetes.github.io/autoscaler",
    chart="cluster-autoscaler",
    version="9.59.0",
    account="autoscaler",
)
DEVICE_PLUGIN = Chart(
    name="device-plugin",
    repository="https://nvidia.github.io/k8s-device-plugin",
    chart="nvidia-device-plugin",
    version="0.18.0",
)
