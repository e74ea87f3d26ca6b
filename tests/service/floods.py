"""What a stranger without a key can send: floods, each on a loop of its own process, against either port.

`python -m tests.service.floods KIND PORT PATH SECONDS SCALE`. Sizes are those of `make test-faults`; SCALE shrinks
the number of connections. Prints `begins`, then how many bytes it sent and how many connections it was given.
"""

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Callable, Coroutine

CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
MEGABYTE = b"a" * 1_000_000


class Flood:
    """The sockets of one attacker; `sent` counts bytes, `made` connections."""

    def __init__(self, port: int, path: str, seconds: float, scale: float) -> None:
        self.port, self.path, self.scale = port, path.encode(), scale
        self.end = time.monotonic() + seconds
        self.sent = self.made = 0
        self.loop = asyncio.get_running_loop()

    @property
    def lasts(self) -> bool:
        return time.monotonic() < self.end

    def head(self, method: bytes = b"GET", rest: bytes = b"\r\n") -> bytes:
        return method + b" " + self.path + b" HTTP/1.1\r\nhost: x\r\n" + rest

    async def connect(self, *, deaf: bool = False) -> socket.socket:
        """A connection; `deaf` makes its window as small as can be, for answers that stay unread."""
        made = socket.socket()
        made.setblocking(False)
        if deaf:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        await self.loop.sock_connect(made, ("127.0.0.1", self.port))
        self.made += 1
        return made

    async def send(self, client: socket.socket, data: bytes) -> None:
        """Send all of it, or as much as the server takes while the flood lasts."""
        self.sent += len(data)
        async with asyncio.timeout(max(0.01, self.end - time.monotonic())):
            await self.loop.sock_sendall(client, data)

    async def many(self, count: float, one: Callable[[], Coroutine[object, object, None]]) -> None:
        """`count` attackers, each of which starts again when it is thrown out."""

        async def again() -> None:
            while self.lasts:
                try:
                    await one()
                except (OSError, TimeoutError):
                    await asyncio.sleep(0.02)

        await asyncio.gather(*(again() for _ in range(max(1, int(count * self.scale)))))

    async def endless(self, count: float, first: bytes, then: bytes, *, deaf: bool = False) -> None:
        """`count` connections that say `first` and then `then` without an end, as fast as it is taken."""

        async def one() -> None:
            with await self.connect(deaf=deaf) as client:
                await self.send(client, first)
                while self.lasts:
                    await self.send(client, then)

        await self.many(count, one)

    async def held(self, count: float, first: bytes, drip: bytes, *, every: float = 0.5) -> None:
        """`count` connections that say `first`, then `drip` now and then, and never end."""

        async def one() -> None:
            with await self.connect() as client:
                await self.send(client, first)
                while self.lasts:
                    await asyncio.sleep(every)
                    if drip:
                        await self.send(client, drip)
                    elif not await self._is_open(client):
                        return

        await self.many(count, one)

    async def _is_open(self, client: socket.socket) -> bool:
        try:
            return client.recv(65536) != b""
        except BlockingIOError:
            return True


async def pipelined(flood: Flood) -> None:
    await flood.endless(8, b"", flood.head() * 4000, deaf=True)


async def pipelined_by_many(flood: Flood) -> None:
    await flood.endless(1000, b"", flood.head() * 31, deaf=True)


async def trailers(flood: Flood) -> None:
    await flood.endless(16, flood.head(b"POST", CHUNKED + b"0\r\n"), b"x-a: " + b"b" * 5000 + b"\r\n")


async def one_trailer(flood: Flood) -> None:
    await flood.endless(16, flood.head(b"POST", CHUNKED + b"0\r\nx-a: "), MEGABYTE)


async def chunk_extension(flood: Flood) -> None:
    await flood.endless(16, flood.head(b"POST", CHUNKED + b"5;a="), MEGABYTE)


async def endless_head(flood: Flood) -> None:
    await flood.endless(16, flood.head(rest=b"x-a: "), MEGABYTE)


async def heads_of_many_lines(flood: Flood) -> None:
    await flood.held(3000, flood.head(rest=b"a:\r\n" * 120), b"a:b\r\n", every=2)


async def large_heads(flood: Flood) -> None:
    await flood.held(3000, flood.head(rest=b"x-a: " + b"b" * 60_000), b"b", every=2)


async def get_without_end(flood: Flood) -> None:
    await flood.held(4200, flood.head(b"GET", b"content-length: 1000000000\r\n\r\n"), b"a")


async def head_without_end(flood: Flood) -> None:
    await flood.held(4200, flood.head(b"HEAD", CHUNKED), b"1\r\na\r\n")


async def bodies_at_full_speed(flood: Flood) -> None:
    await flood.endless(64, flood.head(b"GET", CHUNKED), b"f4240\r\n" + MEGABYTE + b"\r\n")


async def bodies_that_stall(flood: Flood) -> None:
    await flood.held(1500, flood.head(b"POST", b"content-length: 999999\r\n\r\n") + MEGABYTE[:200_000], b"a", every=2)


async def silence(flood: Flood) -> None:
    await flood.held(4200, b"", b"")


async def empty_lines(flood: Flood) -> None:
    await flood.held(4200, flood.head(), b"\r\n")


async def connections_come_and_go(flood: Flood) -> None:
    reset = struct.pack("ii", 1, 0)

    async def one() -> None:
        with await flood.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            await flood.send(client, flood.head()[:-2])
            await asyncio.sleep(0.01)

    await flood.many(32, one)


async def after_an_upgrade(flood: Flood) -> None:
    await flood.endless(16, flood.head(rest=b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"), MEGABYTE)


KINDS = {
    each.__name__: each
    for each in (
        *(pipelined, pipelined_by_many, trailers, one_trailer, chunk_extension, endless_head, heads_of_many_lines),
        *(large_heads, get_without_end, head_without_end, bodies_at_full_speed, bodies_that_stall, silence),
        *(empty_lines, connections_come_and_go, after_an_upgrade),
    )
}


async def main(kind: str, port: str, path: str, seconds: str, scale: str) -> None:
    print("begins", flush=True)
    flood = Flood(int(port), path, float(seconds), float(scale))
    await KINDS[kind](flood)
    print(flood.sent, flood.made)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
