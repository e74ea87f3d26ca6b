"""Whether the GPUs of a stack's nodes are enough for its services, also while they roll."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slipway.infra.config.scaling import ClusterServing


def short_of_gpus(services: Mapping[str, ClusterServing], room: int, key: str, raise_: str) -> Iterator[str]:
    """What would wait for a GPU forever. `room`: GPUs at most, of `key`, where `raise_` is to be raised."""
    asking = {name: service for name, service in services.items() if service.gpus}
    taken = sum(service.scale.most * service.gpus for service in asking.values())
    if taken > room:
        name = max(asking, key=lambda each: asking[each].scale.most * asking[each].gpus)
        yield (
            f"services.{name}.scale.max: all services together ask for {taken} GPUs, and {key} has {room}: "
            f"lower it, or raise {raise_}"
        )
        return
    for name, service in asking.items():
        if not service.rollout.unavailable and taken + service.gpus > room:
            yield (
                f"services.{name}.rollout.surge: a new pod needs {service.gpus} spare of {room} GPUs, of which {taken} "
                "are taken, so a rollout would wait forever: rollout: {surge: 0, unavailable: 1}, a lower scale.max, "
                f"or more {raise_} in {key}"
            )
