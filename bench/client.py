"""A small load client: keep-alive connections in one process that ask again as soon as they are answered.

`python -m bench.client` takes one JSON object on standard input (see `main`) and prints one. It is bounded by its
number of connections and its time, and talks to this machine only.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

# For the last answers after the time is over.
_PATIENCE = 20.0


@dataclass
class Tally:
    """What came back: seconds of each answered request, and how many had each status; 0 is a broken connection."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    elapsed: float = 0.0

    def percentile(self, share: float) -> float:
        """Seconds within which `share` (0 to 1) of the requests were answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def request(path: str, body: bytes, kind: str = "application/json", **headers: str) -> bytes:
    """One HTTP request."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def load(
    port: int,
    asked: bytes,
    connections: int,
    seconds: float,
    *,
    rate: float | None = None,
    most: int | None = None,
    status_seen: Callable[[int], None] | None = None,
) -> Tally:
    """Send `asked` over `connections` for `seconds`, at most `most` times; at `rate` requests a second in all if given.

    With a rate a connection that is answered late asks late: it never has more than one request under way. Each
    connects when it first asks.
    """
    tally, loop = Tally(), asyncio.get_running_loop()
    end = loop.time() + seconds
    left = [most if most is not None else sys.maxsize]
    begin = time.perf_counter()
    clients: list[_Connection] = []
    pause, first = connections / rate if rate else 0.0, loop.time()
    for number in range(connections):
        start = first + pause * number / connections
        await asyncio.sleep(start - loop.time())

        def make(start: float = start, pause: float = pause) -> _Connection:
            return _Connection(asked, tally, start, pause, end, left, status_seen)

        try:
            _, client = await loop.create_connection(make, "127.0.0.1", port)
            clients.append(client)
        except OSError:
            tally.statuses[0] += 1
    await asyncio.wait([client.done for client in clients], timeout=seconds + _PATIENCE)
    tally.statuses += Counter({0: sum(not client.done.done() for client in clients)})
    tally.elapsed = time.perf_counter() - begin
    return tally


class _Connection(asyncio.Protocol):
    def __init__(
        self,
        asked: bytes,
        tally: Tally,
        start: float,
        pause: float,
        end: float,
        left: list[int],
        seen: Callable[[int], None] | None,
    ) -> None:
        self._asked, self._tally, self._pause, self._end, self._left, self._seen = asked, tally, pause, end, left, seen
        self._loop = asyncio.get_running_loop()
        self._next, self._received, self._size = start, b"", 0
        self.done: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has a class of its own
        self._schedule()

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        if not self._size:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            lowered = self._received[: head + 2].lower()
            at = lowered.find(b"content-length: ") + 16
            self._size = head + 4 + int(lowered[at : lowered.find(b"\r", at)])
        if len(self._received) < self._size:
            return
        status = int(self._received[9:12])
        self._tally.seconds.append(time.perf_counter() - self._sent)
        self._tally.statuses[status] += 1
        if self._seen:
            self._seen(status)
        self._received, self._size = b"", 0
        self._schedule()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._tally.statuses[0] += 1
            self.done.set_result(None)

    def _schedule(self) -> None:
        now = self._loop.time()
        at = max(now, self._next) if self._pause else now
        if at >= self._end or self._left[0] <= 0:
            self._finish()
        elif self._pause:
            self._loop.call_at(at, self._ask)
            self._next += self._pause
        else:
            self._ask()

    def _ask(self) -> None:
        if self.done.done():
            return
        if self._loop.time() >= self._end:
            self._finish()
            return
        self._left[0] -= 1
        self._sent = time.perf_counter()
        self._transport.write(self._asked)

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self._transport.close()


def main() -> None:
    """Reads {"port", "path", "body" (a file), "kind", "connections", "seconds", "most", "headers"}."""
    import uvloop

    asked: dict[str, Any] = json.load(sys.stdin)
    with open(asked["body"], "rb") as file:
        body = request(asked["path"], file.read(), asked["kind"], **asked.get("headers", {}))
    tally = uvloop.run(load(asked["port"], body, asked["connections"], asked["seconds"], most=asked.get("most")))
    result = {
        "answers": sum(tally.statuses.values()),
        "statuses": {str(status): count for status, count in tally.statuses.items()},
        "elapsed": tally.elapsed,
        "p50": tally.percentile(0.5),
        "p99": tally.percentile(0.99),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
