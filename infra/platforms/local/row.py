"""Serving on this machine: no account, no Docker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.infra.platforms.answers import Swept, Tagged
from slipway.infra.platforms.local.unsupported import UNSUPPORTED
from slipway.infra.platforms.row import PlatformRow

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.platforms.base import Platform


def _open(_config: StackConfig) -> Platform:
    from slipway.infra.platforms.local.platform import LocalPlatform

    return LocalPlatform()


def _sweep(stack: str, identity: str, config: StackConfig, _tagged: Tagged) -> Swept:
    from slipway.infra.platforms.local.sweep import sweep

    return sweep(stack, config)


def _why_silent(url: str) -> list[str]:
    from slipway.infra.platforms.local.runtime import why_silent

    return why_silent(url)


LOCAL = PlatformRow(
    name="local",
    unsupported=UNSUPPORTED,
    open=_open,
    sweep=_sweep,
    builds_images=False,
    on_host=True,
    on_this_machine=True,
    why_silent=_why_silent,
)
