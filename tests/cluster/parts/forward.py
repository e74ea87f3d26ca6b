"""Carries connections from the machine's 127.0.0.1 to the same ports inside.

The listening sockets were opened outside and belong there; what this process opens itself is inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cluster.node import Node

CHUNK = 1 << 16


def start(node: Node) -> None:
    listeners = tuple(node.listeners)
    node.start(
        "forward", sys.executable, "-m", "tests.cluster.parts.forward", *map(str, listeners),
        keep=listeners, PYTHONPATH=":".join(sys.path),
    )  # fmt: skip


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    port = writer.get_extra_info("sockname")[1]
    there = None
    try:
        from_there, there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_carry(reader, there), _carry(from_there, writer))
    except OSError:
        pass  # nobody listens there: the caller's connection is closed, as a refused one would be
    finally:
        for each in filter(None, (writer, there)):
            each.close()


async def _serve(listeners: list[int]) -> None:
    for each in listeners:
        await asyncio.start_server(_connect, sock=socket.socket(fileno=each))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve([int(each) for each in sys.argv[1:]]))
