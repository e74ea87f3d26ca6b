"""BentoML behind the hot path, loaded when it is first asked for."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from slipway.service.exchange import ASGIApp, Receive, Scope, Send


class Bento:
    """An ASGI application that becomes the BentoML service on the first request, off the event loop.

    Most processes never see such a request and keep the half second and the memory. Owns the service's life;
    the model is the one that this process has loaded already.
    """

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._life = AsyncExitStack()
        self._starting = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._starting:
            if self._app is None:
                app = await asyncio.to_thread(_load)
                await self._life.enter_async_context(app.router.lifespan_context(app))
                self._app = app
        await self._app(scope, receive, send)

    async def close(self) -> None:
        """Run the service's shutdown hooks if it was started."""
        await self._life.aclose()


def _load() -> Any:
    from slipway.service.http.bento_service import behind_hot_path

    return behind_hot_path()
