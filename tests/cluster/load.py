"""A constant load: so many requests a second, each on a connection of its own, until SIGTERM.

python -m tests.cluster.load PORT RATE ADDRESS REQUEST TRIES PAUSE, run inside the cluster's network. Prints {sent,
failed: {why: count}, ...} at last. A request that finds nobody is sent again until TRIES are used up, as a gateway or
our client would: after 0.2 s, and twice as long each time. The last byte of each comes PAUSE seconds after the others.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from slipway.infra.home import ROOT

from tests.cluster import cluster

TIMEOUT = 5.0
PAUSE = 0.2
GET = "GET / HTTP/1.1\r\nhost: load\r\nconnection: close\r\n\r\n"


def post(path: str, key: str, body: str) -> str:
    """A request with JSON and a key, on a connection of its own."""
    lines = [f"POST {path} HTTP/1.1", "host: load", "connection: close", f"authorization: Bearer {key}"]
    lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", body])


class Load:
    """Runs while the context lasts; `result` is there after it."""

    def __init__(
        self, port: int, rate: int, address: str = "127.0.0.1", request: str = GET, tries: int = 1, pause: float = 0
    ) -> None:
        self.command = [
            "nsenter",
            "--target",
            str(cluster.inside()),
            "--net",
            sys.executable,
            "-m",
            "tests.cluster.load",
        ]
        self.command += [str(port), str(rate), address, request, str(tries), str(pause)]
        self.result: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        assert self.process.stdout.readline() == "loading\n"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.result = json.loads(self.process.communicate(timeout=180)[0])


@dataclass
class Asking:
    """What is asked, and what came of it."""

    address: str
    port: int
    request: bytes
    tries: int
    pause: float
    found: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    again: int = 0


async def _request(asking: Asking) -> None:
    started = time.monotonic()
    for left in reversed(range(asking.tries)):
        why = await _try(asking)
        if not why or why.startswith("answer ") or not left:
            asking.found[why] += 1
            break
        asking.again += 1
        await asyncio.sleep(PAUSE * 2 ** (asking.tries - 1 - left))
    asking.took.append(time.monotonic() - started)


async def _try(asking: Asking) -> str:
    """Empty where it was answered, else what went wrong."""
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(asking.address, asking.port)
            early = len(asking.request) - (asking.pause > 0)
            writer.write(asking.request[:early])
            await asyncio.sleep(asking.pause)
            writer.write(asking.request[early:])
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError) as error:
        return type(error).__name__
    if not answer:
        return "closed without an answer"
    good = answer.startswith(b"HTTP/1.1 200 ") and answer.partition(b"\r\n\r\n")[2]
    return "" if good else f"answer {answer[:40]!r}"


async def _run(asking: Asking, rate: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print("loading", flush=True)
    async with asyncio.TaskGroup() as group:
        started, sent = time.monotonic(), 0
        while not stopped.is_set():
            due = int((time.monotonic() - started) * rate)
            for _ in range(due - sent):  # late ones are made up for: the rate holds whatever the answers take
                group.create_task(_request(asking))
            sent = max(sent, due)
            await asyncio.sleep(0.005)
    seconds, ordered = round(time.monotonic() - started, 1), sorted(asking.took)
    failed = {why: count for why, count in asking.found.items() if why}
    p50, p99 = (round(1000 * ordered[len(ordered) * each // 100], 1) for each in (50, 99))
    told = {"sent": sent, "seconds": seconds, "failed": failed, "again": asking.again, "p50_ms": p50, "p99_ms": p99}
    print(json.dumps(told))


if __name__ == "__main__":
    port, rate, address, request, tries, pause = sys.argv[1:]
    about = {"address": address, "port": int(port), "request": request.encode()}
    asking = Asking(**about, tries=int(tries), pause=float(pause))
    asyncio.run(_run(asking, int(rate)))
