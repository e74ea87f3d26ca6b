"""Services that keep what they serve while an update goes on with the others: `make up SERVICES="digits linear"`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from slipway.infra.config.base import ConfigError

if TYPE_CHECKING:
    from slipway.infra.config.stack import ServiceConfig

# JSON: by name of a service that keeps what it serves, the uri of its artifact; null: it serves nothing yet, so it is
# left out. `slipway stack keep` prints it.
VARIABLE = "SLIPWAY_KEEP"


def as_kept(services: Mapping[str, ServiceConfig]) -> dict[str, ServiceConfig]:
    """The services of this update. Raises ConfigError where the variable is set to something else, so that a command
    that failed to say what is kept keeps nothing from being kept."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return dict(services)
    try:
        kept = json.loads(text)
    except ValueError:
        kept = None
    if not isinstance(kept, dict):
        raise ConfigError(f"${VARIABLE} is {text!r}; it takes what slipway stack keep prints, or unset it")
    if unknown := sorted(kept.keys() - services.keys()):
        raise ConfigError(f"${VARIABLE} names {unknown[0]}; the services are {', '.join(services)}")
    found = {
        name: service.model_copy(update={"model": kept[name], "variant": None}) if name in kept else service
        for name, service in services.items()
        if name not in kept or kept[name]
    }
    if not found:
        raise ConfigError(f"${VARIABLE} leaves no service; unset it")
    return found
