"""What the platform local can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from slipway.infra.config.base import Settings


class LocalConfig(Settings):
    """This machine."""

    monitoring: Literal["prometheus"] | None = Field(
        default=None, description="prometheus: writes what a Prometheus on this machine scrapes, and its rules"
    )
