"""Our service with nobody asked for a key and nothing counted, noted or signed: stands in for `service/__main__.py`.

What is left of it in the hot path is a few looks at the clock.
"""

import sys
from typing import Any

from service.real_main import main

from service.app import App
from service.stages import Stages
from service.watch import Watch


def nothing(*_: Any) -> Any:
    return None


Watch.answered = nothing  # type: ignore[method-assign]
Stages.ran = nothing  # type: ignore[method-assign]
App.__call__.__defaults__ = (True,)
sys.exit(main())
