"""What has to hold between the settings of a stack on a Docker host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig


def problems(config: StackConfig) -> Iterator[str]:
    """A sentence for each thing that the stack asks for and one Docker host does not have."""
    hidden = "what stands before the containers hides who asks: use the host's firewall, and remove it"
    if config.access.allow:
        yield f"access.allow: {hidden}"
    if config.access.rate.perAddress:
        yield f"access.rate.perAddress: {hidden}"
    if "," in config.image.arch:
        yield f"image.arch: {config.image.arch}: one host has one of them: name that"
    yield from config.image.problems({each.accelerator for each in config.services.values()})
    for name, service in config.services.items():
        if "cpu" in service.resources.model_fields_set:
            yield f"services.{name}.resources.cpu: containers share the host's cores: remove it, or set workers"
        if service.resources.gpu:
            yield f"services.{name}.resources.gpu: the host's own GPUs are named: set docker.gpus: device=0,1"
