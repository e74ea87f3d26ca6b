"""Where things are: the code, and the folder of what can be made again."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # of the checkout: stack files, models, and the code itself


def home() -> Path:
    """Environments, artifacts, the engine, running services: `$SLIPWAY_HOME`, else `slipway` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SLIPWAY_HOME") or Path(cache) / "slipway").absolute()
