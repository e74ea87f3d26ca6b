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
PORT = 3000
# A container that has just been started again is waited for, for so long.
TRIES, PAUSE = 100, 0.05


class Side(asyncio.Protocol):
    """One end of a connection; what arrives goes out at `other`."""

    transport: asyncio.Transport
    other: Side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.transport.abort() if exc else self.other.transport.close()


class Caller(Side):
    """A client's end: nothing is read from it before there is another."""

    def __init__(self, front: Front) -> None:
        self.front = front

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self.other = Side()
        self.other.transport = self.transport  # until there is another end, a loss concerns this one alone
        self.task = asyncio.get_running_loop().create_task(self.connect())

    async def connect(self) -> None:
        end = Side()
        end.other = self
        for _ in range(TRIES):
            try:
                await asyncio.get_running_loop().create_connection(lambda: end, self.front.next(), PORT)
                break
            except OSError:
                await asyncio.sleep(PAUSE)
        else:
            self.transport.abort()
            return
        if self.transport.is_closing():
            end.transport.abort()
            return
        self.other = end
        self.transport.resume_reading()


class Front:
    """Where new connections go: to the named containers in turn."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.turn = itertools.count()

    def next(self) -> str:
        """Raises OSError while nothing is named. A file that is just being replaced changes nothing."""
        with contextlib.suppress(FileNotFoundError):
            self.names = TARGET.read_text().split() or self.names
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
