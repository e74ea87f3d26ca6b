"""Our service with nobody asked for a key and nothing counted, noted or signed: stands in for `service/__main__.py`.

What is left of it in the hot path is a few looks at the clock.
"""

import sys
from typing import Any

from service.real_main import main

import service.server
from service.app import App
from service.stages import Stages
from service.watch import Watch


class Unwatched(App):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.respond(scope, receive, send)


def nothing(*_: Any) -> Any:
    return {}


Watch.answered = nothing  # type: ignore[method-assign]
Stages.ran = nothing  # type: ignore[method-assign]
service.server.App = Unwatched  # type: ignore[misc]
sys.exit(main())
