"""What a platform does not have, each with its reason: refused before any resource is registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

# On every cluster.
CLUSTER = {
    "port": "every pod has an address of its own, and serves on 3000",
    "metricsPort": "every pod has an address of its own, and /metrics on 9000",
    "workers": "a pod is one server process: set scale and resources.cpu",
}


def unsupported(platform: str, lacks: Mapping[str, str], services: Mapping[str, BaseModel]) -> Iterator[str]:
    """A sentence for each key that a service sets and the platform lacks."""
    for name, service in services.items():
        for key in sorted(service.model_fields_set & lacks.keys()):
            yield f"services.{name}.{key}: platform {platform} has none: {lacks[key]}; remove it"
