"""Definitions of the custom resources that the workload writes, from the projects that own them."""

from __future__ import annotations

from typing import Any

import yaml

from tests.cluster.build import shipped

# {module: file}, pinned in go/crds.
FILES = {
    "github.com/kedacore/keda/v2": "config/crd/bases/keda.sh_scaledobjects.yaml",
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_{}.yaml"
    ),
    "sigs.k8s.io/gateway-api": "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
}
OPERATED = ("podmonitors", "prometheusrules")


def definitions() -> list[dict[str, Any]]:
    """CustomResourceDefinitions of ScaledObject, PodMonitor, PrometheusRule and HTTPRoute."""
    files = [shipped("crds", path) / name.format(kind) for path, name in FILES.items() for kind in _kinds(name)]
    return [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]


def _kinds(name: str) -> tuple[str, ...]:
    return OPERATED if "{}" in name else ("",)
