"""What holds a service's port while its versions change: TCP, passed on to the containers named in /live/target.

Runs by itself in a container (python3 -c), so the standard library is all it has. New connections go where the file
leads by then; those that are open stay where they are until their container closes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from pathlib import Path

TARGET = Path("/live/target")
PORT = TO = 3000
MOST = 100_000  # characters of the file
# A container that has just been started again is waited for, for so long.
TRIES, PAUSE = 100, 0.05


class Side(asyncio.Protocol):
    """One end of a connection; what arrives goes out at the other, once there is one."""

    def __init__(self) -> None:
        self.other: Side | None = None
        self.early, self.ended = b"", False

    def join(self, other: Side) -> None:
        self.other = other
        if self.early:
            other.transport.write(self.early)
        if self.ended:
            other.transport.write_eof()
        self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other:
            self.other.transport.write(data)
        else:
            self.early += data
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        if self.other:
            self.other.transport.write_eof()
        self.ended = True
        return True

    def pause_writing(self) -> None:
        if self.other:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other:
            self.other.transport.abort() if exc else self.other.transport.close()


class Caller(Side):
    """A client's end: it looks for another, and gives up with the client."""

    def __init__(self, front: Front) -> None:
        super().__init__()
        self.front = front

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.task = asyncio.get_running_loop().create_task(self.connect())

    def connection_lost(self, exc: Exception | None) -> None:
        self.task.cancel()
        super().connection_lost(exc)

    async def connect(self) -> None:
        for _ in range(TRIES):
            try:
                _, end = await asyncio.get_running_loop().create_connection(Side, self.front.next(), TO)
            except OSError:
                await asyncio.sleep(PAUSE)
            else:
                end.join(self)
                self.join(end)
                return
        self.transport.abort()


class Front:
    """Where new connections go: to the named containers in turn."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.turn = itertools.count()

    def next(self) -> str:
        """Raises OSError while nothing is named. A file that can't be read changes nothing."""
        with contextlib.suppress(OSError, ValueError), TARGET.open() as file:
            self.names = file.read(MOST).split() or self.names
        if not self.names:
            raise OSError
        return self.names[next(self.turn) % len(self.names)]


async def main() -> None:
    loop, ended, front = asyncio.get_running_loop(), asyncio.Event(), Front()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Caller(front), "0.0.0.0", PORT, backlog=2048)  # noqa: S104
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
