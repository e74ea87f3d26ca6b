"""One server process: from an artifact to an accepting socket, and back without losing a request."""

import asyncio
import errno
import gc
import ipaddress
import os
import resource
import signal
import socket
import sys
import time
from dataclasses import replace

import uvicorn
from slipway.service.access.access import HEALTH, OPEN
from slipway.service.access.access_file import AccessError
from slipway.service.exchange import ASGIApp
from slipway.service.http.app import App
from slipway.service.http.limits import Limits
from slipway.service.http.metrics_endpoint import PATH, exposition
from slipway.service.http.self_test import prove
from slipway.service.http.tracing import Traced, is_wanted
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings
from slipway.service.watch import Guard, every

# For a worker with fewer connections to take one first.
_YIELD_SECONDS = 0.002
_TIDY_SECONDS = 3600.0
# What is short for all that this process does, and so for how long it accepts nobody.
_SHORT, _SHORT_SECONDS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM), 0.1
# Accepted at once where no other worker is less busy: a probe waits behind those that came before it.
_AT_ONCE = 16
# What all clients together may have a process hold, and those of its metrics; what else it opens, as file descriptors.
_HELD_BYTES, _METRICS_HELD_BYTES, _METRICS_CONNECTIONS, _OTHER_FILES = 32_000_000, 4_000_000, 64, 200


def serve(settings: Settings) -> None:
    """Load, prove and serve until SIGTERM, SIGINT or the supervisor's end; then answer what is in flight.

    Raises AccessError, ArtifactError or OSError with the reason if it can't serve, before anything is accepted.
    """
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    if settings.access == OPEN and not _is_loopback(settings):
        raise AccessError("--access open is for this machine alone, and others reach this address: give an access file")
    model = load_model(settings.artifact, settings.provider, settings.threads)
    app = App(model, settings)
    traced: Traced | None = None
    try:
        await prove(app, model)
        app.monitor.forget()
        await app.access.watch()
        _settle_garbage()
        listeners = [_listen(settings.fd, settings.host, settings.port)]
        if _is_loopback(settings):
            app.access.page_ports.add(listeners[0].getsockname()[1])
        if settings.page_port is not None:
            listeners.append(socket.create_server(("127.0.0.1", settings.page_port), reuse_port=True))
            app.access.page_ports.add(listeners[1].getsockname()[1])
        if is_wanted():
            traced = Traced(app)
        await _Server(app, settings, traced or app).serve(listeners)
    finally:
        if traced:
            await asyncio.to_thread(traced.close)
        await app.close()


class _Server(uvicorn.Server):
    """uvicorn with more manners: it says when it is ready, does not outlive its supervisor, drains gently, holds its
    clients to limits, and shares connections evenly with the workers beside it."""

    def __init__(self, app: App, settings: Settings, asked: ASGIApp) -> None:
        """`asked` is what requests go to: `app` itself, or what stands around it."""
        most = max(1, min(settings.max_connections, _files() - _OTHER_FILES))
        held = settings.max_held or max(_HELD_BYTES, 12 * app.max_body)
        self._limits = Limits(replace(settings, max_connections=most), held, HEALTH, app.metrics.connections)
        few = replace(settings, max_connections=_METRICS_CONNECTIONS)
        self._metrics_limits = Limits(few, _METRICS_HELD_BYTES, frozenset((PATH,)))
        config = uvicorn.Config(
            asked,
            http=self._limits.protocol,  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
        super().__init__(config)
        self._app, self._settings = app, settings
        self._guard = Guard("what a process does each second")
        self._accepting: set[asyncio.Task[object]] = set()
        self._metrics: asyncio.Server | None = None
        # uvicorn raises a signal again once it has stopped: this makes that an orderly end with exit code 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts by itself: asyncio's servers take all connections at once that wait, and leave other workers none."""
        assert sockets is not None
        await super().startup([])
        self._listeners, loop = sockets, asyncio.get_running_loop()
        for listener in sockets:
            listener.setblocking(False)
            loop.add_reader(listener, self._readable, listener)
        if self._settings.metrics_port is not None or self._settings.metrics_fd is not None:
            await self._start_metrics()
        if self._settings.parent_fd is not None:
            loop.add_reader(self._settings.parent_fd, self._parent_moved)
        if self._settings.ready_fd is not None:
            os.write(self._settings.ready_fd, b"ready\n")
            os.close(self._settings.ready_fd)
        self._tidying = loop.create_task(every(_TIDY_SECONDS, self._app.tidy, "the end of what is too old"))

    async def _start_metrics(self) -> None:
        """Beside the service, on a socket of its own: who scrapes has no key, and no client gets there."""
        settings = self._settings
        config = uvicorn.Config(
            exposition(self._app.metrics), ws="none", lifespan="off", log_config=None, access_log=False
        )
        config.load()
        listener = _listen(settings.metrics_fd, settings.host, settings.metrics_port or 0)
        listener.setblocking(False)
        state = self.server_state
        self._metrics = await asyncio.get_running_loop().create_server(
            lambda: self._metrics_limits.protocol(config, state, {}), sock=listener
        )

    async def on_tick(self, counter: int) -> bool:
        with self._guard:
            self._limits.tidy()
            if counter % 10 == 0:
                self._limits.sweep()
                self._metrics_limits.sweep()
                self._app.monitor.tick()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closing an idle connection may cross with a request on its way; asking its client to close can't."""
        self._app.draining = True
        self._tidying.cancel()
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        if self._metrics:
            self._metrics.close()
        end = time.monotonic() + self._settings.drain_seconds
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await super().shutdown([])
        self._app.monitor.tick()  # what was noted since the last one

    def _readable(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if self._app.metrics.busier():
                self._pause(listener, _YIELD_SECONDS)
                return
            if not self._accept(listener):
                return

    def _pause(self, listener: socket.socket, seconds: float) -> None:
        """Leave the next connection to other workers."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(seconds, self._accept_late, listener)

    def _accept_late(self, listener: socket.socket) -> None:
        if not self._app.draining:
            asyncio.get_running_loop().add_reader(listener, self._readable, listener)
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> bool:
        try:
            client, _ = listener.accept()
        except OSError as error:  # none waits, another worker was faster, or the client is gone
            if error.errno in _SHORT:
                self._pause(listener, _SHORT_SECONDS)  # asked again at once, it would take a core
            return False
        self._limits.arrive()
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._protocol, client))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        return True

    def _protocol(self) -> asyncio.Protocol:
        return self._limits.protocol(self.config, self.server_state, self.lifespan.state)

    def _parent_moved(self) -> None:
        assert self._settings.parent_fd is not None
        if not os.read(self._settings.parent_fd, 1024):
            asyncio.get_running_loop().remove_reader(self._settings.parent_fd)
            self._stop()

    def _stop(self) -> None:
        self.should_exit = True


def _settle_garbage() -> None:
    """Parsed requests set off collections that walk all objects: spare them those that stay, and make them rarer.

    Until here none ran at all (see __main__): imports make objects that stay.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)


def _files() -> int:
    """How many files this process may open, made the most that it may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return sys.maxsize if most == resource.RLIM_INFINITY else most


def _listen(fd: int | None, host: str, port: int) -> socket.socket:
    if fd is not None:
        return socket.socket(fileno=fd)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _is_loopback(settings: Settings) -> bool:
    host = settings.host
    if settings.fd is not None:
        with socket.socket(fileno=os.dup(settings.fd)) as listener:
            host = str(listener.getsockname()[0])
    return host == "localhost" or ipaddress.ip_address(host).is_loopback
