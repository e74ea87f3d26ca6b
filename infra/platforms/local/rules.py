"""What has to hold between the settings of a stack on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from slipway.infra.platforms.local.config import LocalConfig

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig


def problems(config: StackConfig) -> Iterator[str]:
    """A sentence for each service that Prometheus could not scrape; it names the key and the fix."""
    if config.of(LocalConfig).monitoring:
        for name, service in config.services.items():
            if service.metricsPort is None:
                yield f"services.{name}.metricsPort: local.monitoring has it scraped: set a free port, such as 9000"
