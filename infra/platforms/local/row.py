"""Serving on this machine: no account, no Docker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slipway.infra.platforms.answers import Swept, Tagged
from slipway.infra.platforms.local.config import LocalConfig
from slipway.infra.platforms.local.rules import problems
from slipway.infra.platforms.local.unsupported import UNSUPPORTED
from slipway.infra.platforms.row import PlatformRow

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.platforms.base import Platform


def _open(config: StackConfig) -> Platform:
    from slipway.infra.platforms.local.platform import LocalPlatform

    return LocalPlatform(config)


def _sweep(stack: str, identity: str, config: StackConfig, _tagged: Tagged) -> Swept:
    from slipway.infra.platforms.local.sweep import sweep

    return sweep(stack, config)


def _why_silent(url: str) -> list[str]:
    from slipway.infra.platforms.local.runtime import why_silent

    return why_silent(url)


def _metrics(config: StackConfig, stack: str, service: str) -> Mapping[str, str]:
    from slipway.infra.platforms.local.monitoring import metrics

    return metrics(config, stack, service)


LOCAL = PlatformRow(
    name="local",
    settings=LocalConfig,
    description="this machine: {monitoring: prometheus}",
    unsupported=UNSUPPORTED,
    problems=problems,
    open=_open,
    sweep=_sweep,
    builds_images=False,
    on_host=True,
    metrics=_metrics,
    on_this_machine=True,
    why_silent=_why_silent,
)
