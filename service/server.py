"""One server process: from an artifact to an accepting socket, and back without losing a request."""

import asyncio
import os
import signal
import socket
import time

import uvicorn

from service.app import App
from service.model import load_model
from service.proof import prove
from service.settings import Settings


def serve(settings: Settings) -> None:
    """Load, prove and serve until SIGTERM, SIGINT or the supervisor's end; then answer what is in flight.

    Raises ArtifactError or OSError with the reason if it can't serve, before anything is accepted.
    """
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    model = load_model(settings.artifact, settings.threads)
    app = App(model, settings)
    try:
        await prove(app, model)
        await _Server(app, settings).serve([_listen(settings)])
    finally:
        await app.close()


class _Server(uvicorn.Server):
    """uvicorn with three more manners: it says when it is ready, does not outlive its supervisor and drains gently."""

    def __init__(self, app: App, settings: Settings) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=settings.keep_alive_seconds,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
        super().__init__(config)
        self._app, self._settings = app, settings
        # uvicorn raises a signal again once it has stopped: this makes that an orderly end with exit code 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._settings.parent_fd is not None:
            asyncio.get_running_loop().add_reader(self._settings.parent_fd, self._parent_moved)
        if self._settings.ready_fd is not None:
            os.write(self._settings.ready_fd, b"ready\n")
            os.close(self._settings.ready_fd)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closing an idle connection may cross with a request on its way; asking its client to close can't."""
        self._app.draining = True
        for server in self.servers:
            server.close()
        end = time.monotonic() + self._settings.drain_seconds
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def _parent_moved(self) -> None:
        assert self._settings.parent_fd is not None
        if not os.read(self._settings.parent_fd, 1024):
            asyncio.get_running_loop().remove_reader(self._settings.parent_fd)
            self._stop()

    def _stop(self) -> None:
        self.should_exit = True


def _listen(settings: Settings) -> socket.socket:
    if settings.fd is not None:
        return socket.socket(fileno=settings.fd)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
