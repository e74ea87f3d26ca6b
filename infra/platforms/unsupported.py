"""What a platform does not have, each with its reason: refused before any resource is registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.config import ServiceConfig

CLUSTER = {
    "port": "every pod has an address of its own, and serves on 3000",
    "metricsPort": "every pod has an address of its own, and /metrics on 9000",
    "workers": "a pod is one server process: set scale and resources.cpu",
}
# By platform, then by the service's key.
LACKS: dict[str, dict[str, str]] = {
    "local": {
        "accelerator": "it runs models on the CPU",
        "scale": "it serves on one machine: set workers",
        "resources": "its processes take what they need of this machine",
        "rollout": "a new version is ready before the old one stops, in any case",
        "host": "it answers on 127.0.0.1 alone",
        "image": "it runs the checkout's own code, without a container",
        "modelFrom": "it reads models from the artifact store",
        "priority": "it has no scheduler",
    },
    "docker": {
        "metricsPort": "every container has /metrics on 9000, on the stack's network",
        "scale": "it serves on one host: set workers",
        "rollout": "a new version is ready before the old one stops, in any case",
        "host": "it has no edge: put one with TLS before it",
        "image": "the host runs what it has built",
        "modelFrom": "images hold the model",
        "priority": "it has no scheduler",
    },
    "kubernetes": CLUSTER,
    "aws": CLUSTER,
    "gcp": CLUSTER,
}


def lacking(platform: str, services: dict[str, ServiceConfig]) -> Iterator[str]:
    """A sentence for each key that a service sets and the platform lacks."""
    for name, service in services.items():
        for key in sorted(service.model_fields_set & LACKS.get(platform, {}).keys()):
            yield f"services.{name}.{key}: platform {platform} has none: {LACKS[platform][key]}; remove it"
