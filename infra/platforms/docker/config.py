"""What the platform docker can be told: which daemon, and what its containers may use."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from infra.settings import Settings

if TYPE_CHECKING:
    from infra.config import StackConfig


class DockerConfig(Settings):
    """One Docker daemon. Who may use it is its owner's matter (ssh, the socket's group), never the state's."""

    host: str | None = Field(
        default=None,
        pattern=r"^(ssh|tcp|unix)://\S+$",
        description="the daemon: ssh://user@machine; default: $DOCKER_HOST, else the one of this machine",
    )
    address: str = Field(
        default="127.0.0.1", description="where services listen on the host; others reach 0.0.0.0: put TLS before it"
    )
    gpus: str = Field(
        default="all", pattern=r"^(all|device=\S+)$", description="GPUs of services with accelerator nvidia: device=0,1"
    )

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        try:
            ip_address(address)
        except ValueError as error:
            raise ValueError(f"{error}: name an address of the host, as 127.0.0.1") from None
        return address


def problems(config: StackConfig) -> Iterator[str]:
    """A sentence for each thing that the stack asks for and one Docker host does not have."""
    hidden = "what stands before the containers hides who asks: use the host's firewall, and remove it"
    if config.access.allow:
        yield f"access.allow: {hidden}"
    if config.access.rate.perAddress:
        yield f"access.rate.perAddress: {hidden}"
    for name, service in config.services.items():
        if "cpu" in service.resources.model_fields_set:
            yield f"services.{name}.resources.cpu: containers share the host's cores: remove it, or set workers"
        if service.resources.gpu:
            yield f"services.{name}.resources.gpu: the host's own GPUs are named: set docker.gpus: device=0,1"
