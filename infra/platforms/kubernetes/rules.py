"""What has to hold between the settings of a stack on a cluster that is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from slipway.infra.config.scaling import ClusterServing
from slipway.infra.platforms.gpu_capacity import short_of_gpus
from slipway.infra.platforms.kubernetes.config import KubernetesConfig
from slipway.infra.workload.names import taken

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig


def problems(config: StackConfig) -> Iterator[str]:
    """A sentence for each thing that services ask for and the cluster does not have; it names the key and the fix."""
    own = config.of(KubernetesConfig)
    hosts: dict[str, str] = {}
    for name, service in config.services.items():
        where = f"services.{name}"
        if service.host and not own.gateway:
            yield f"{where}.host: nothing leads there: set kubernetes.gateway: {{name, namespace}}"
        if service.host and (other := hosts.setdefault(service.host, name)) != name:
            yield f"{where}.host: {service.host} is taken by {other!r}; give each its own"
        if service.scale.on == "inflight" and not own.prometheus:
            yield f"{where}.scale.on: inflight is asked of Prometheus: set kubernetes.prometheus"
        if service.modelFrom == "volume" and not own.models:
            yield f"{where}.modelFrom: there is no volume: set kubernetes.models to a claim's name"
        if not service.image and not (own.registry or own.load):
            yield f"{where}: its image has nowhere to go: set kubernetes.registry or kubernetes.load, or {where}.image"
        if service.scale.onDemand and {each.spot for each in own.places(service.accelerator)} != {True, False}:
            yield (
                f"{where}.scale.onDemand: kubernetes.placements.{service.accelerator} needs a kind of node with "
                "spot: true and one without"
            )
    if own.registry and own.load:
        yield "kubernetes.load: images go to kubernetes.registry already: leave one of them out"
    if own.load and "," in config.image.arch:
        yield f"image.arch: {config.image.arch}: only a registry holds one image for both: set kubernetes.registry"
    yield from config.image.problems({each.accelerator for each in config.services.values() if not each.image})
    yield from _too_few_gpus(own, config.services)
    yield from taken(config.services)


def _too_few_gpus(own: KubernetesConfig, services: Mapping[str, ClusterServing]) -> Iterator[str]:
    rooms = [each.gpus for each in own.places("nvidia")]
    if None not in rooms:
        yield from short_of_gpus(services, sum(each or 0 for each in rooms), "kubernetes.placements.nvidia", "gpus")
