"""Our service with nobody asked for a key and nothing counted, noted or signed: stands in for `service/__main__.py`.

What is left of it in the hot path is a few looks at the clock.
"""

import sys
from typing import Any

from slipway.service.http.app import App
from slipway.service.real_main import main
from slipway.service.telemetry.monitor import Monitor
from slipway.service.telemetry.timings import Timings


def nothing(*_: Any) -> Any:
    return None


Monitor.answered = nothing  # type: ignore[method-assign]
Timings.ran = nothing  # type: ignore[method-assign]
App.__call__.__defaults__ = (True,)
sys.exit(main())
