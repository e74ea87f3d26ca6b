"""What the platform docker can be told: which daemon, and what its containers may use."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal

from pydantic import Field, field_validator
from slipway.infra.config.base import Settings


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

    monitoring: Literal["prometheus"] | None = Field(
        default=None, description="prometheus: writes what a Prometheus on the host scrapes, and its rules, to a volume"
    )

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        try:
            ip_address(address)
        except ValueError as error:
            raise ValueError(f"{error}: name an address of the host, as 127.0.0.1") from None
        return address
