"""Definitions of the custom resources that the workload writes, from the projects that own them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from slipway.simulator.kube.api import Api, Ref
from tests.cluster.build import shipped
from tests.waiting import until

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


@contextmanager
def installed(
    api: Api, defined: Sequence[dict[str, Any]], more: Sequence[dict[str, Any]], seconds: float = 30
) -> Iterator[Api]:
    """The API with definitions, once they are taken, and more objects beside them; all of it goes afterwards."""
    made = [*defined, *more]
    for each in made:
        api.apply(each, "test", force=True)
    until(lambda: all(_established(api.get(Ref.to(each))) for each in defined), seconds)
    try:
        yield api
    finally:
        for each in reversed(made):
            api.delete(Ref.to(each), "Background")
        # The next that brings the same would find those that are about to go.
        until(lambda: all(api.get(Ref.to(each)) is None for each in defined), 120)


def warned(api: Api, objects: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """What the server, at its strictest, warns of, by object; nothing of those that it takes. Raises ApiError."""
    found = {f"{each['kind']} {each['metadata']['name']}": api.strict(each) for each in objects}
    return {name: texts for name, texts in found.items() if texts}


def _established(definition: dict[str, Any]) -> bool:
    found = definition.get("status", {}).get("conditions") or ()
    return any((each["type"], each["status"]) == ("Established", "True") for each in found)
