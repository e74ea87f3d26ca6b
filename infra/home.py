"""Where Slipway keeps what can be made again: environments, artifacts, the engine, running services."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """`$SLIPWAY_HOME`, else `slipway` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SLIPWAY_HOME") or Path(cache) / "slipway").absolute()
