"""Serving on one Docker host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slipway.infra.platforms.answers import Swept, Tagged
from slipway.infra.platforms.docker.config import DockerConfig
from slipway.infra.platforms.docker.rules import problems
from slipway.infra.platforms.docker.unsupported import UNSUPPORTED
from slipway.infra.platforms.row import PlatformRow

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.platforms.base import Platform


def _open(config: StackConfig) -> Platform:
    from slipway.infra.platforms.docker.platform import DockerPlatform

    return DockerPlatform(config)


def _sweep(stack: str, identity: str, config: StackConfig, _tagged: Tagged) -> Swept:
    from slipway.infra.platforms.docker.sweep import sweep

    return sweep(stack, config)


def _metrics(config: StackConfig, stack: str, service: str) -> Mapping[str, str]:
    from slipway.infra.platforms.docker.monitoring import metrics

    return metrics(config, stack, service)


DOCKER = PlatformRow(
    name="docker",
    settings=DockerConfig,
    description="one host with Docker: {host: ssh://user@machine, ...}",
    unsupported=UNSUPPORTED,
    problems=problems,
    open=_open,
    sweep=_sweep,
    on_host=True,
    metrics=_metrics,
)
