"""Definitions of the custom resources that the workload writes, from the projects that own them."""

from __future__ import annotations

from typing import Any

import yaml

from tests.cluster.build import shipped

# {module: files}, pinned in go/crds.
OPERATED = "example/prometheus-operator-crd/monitoring.coreos.com_{}.yaml"
GATEWAY = "config/crd/standard/gateway.networking.k8s.io_{}.yaml"
FILES = {
    "github.com/kedacore/keda/v2": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    "github.com/prometheus-operator/prometheus-operator": (
        OPERATED.format("podmonitors"),
        OPERATED.format("prometheusrules"),
    ),
    "sigs.k8s.io/gateway-api": (GATEWAY.format("gateways"), GATEWAY.format("httproutes")),
}


def definitions() -> list[dict[str, Any]]:
    """CustomResourceDefinitions of ScaledObject, PodMonitor, PrometheusRule, Gateway and HTTPRoute."""
    files = [shipped("crds", path) / name for path, names in FILES.items() for name in names]
    return [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]
