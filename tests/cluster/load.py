"""A constant load: so many requests a second, each on a connection of its own, until SIGTERM.

python -m tests.cluster.load PORT RATE, run inside the cluster's network. Prints {sent, failed: {why: count}, ...} at
last.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any, Self

from infra.config import ROOT
from tests.cluster import cluster

TIMEOUT = 5.0


class Load:
    """Runs while the context lasts; `result` is there after it."""

    def __init__(self, port: int, rate: int) -> None:
        self.command = [
            "nsenter",
            "--target",
            str(cluster.inside()),
            "--net",
            sys.executable,
            "-m",
            "tests.cluster.load",
        ]
        self.command += [str(port), str(rate)]
        self.result: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        assert self.process.stdout.readline() == "loading\n"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.result = json.loads(self.process.communicate(timeout=30)[0])


async def _request(port: int, found: Counter[str], took: list[float]) -> None:
    started = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nhost: load\r\nconnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            good = answer.startswith(b"HTTP/1.1 200 ") and answer.partition(b"\r\n\r\n")[2]
            found["" if good else f"answer {answer[:40]!r}"] += 1
    except (OSError, TimeoutError) as error:
        found[type(error).__name__] += 1
    took.append(time.monotonic() - started)


async def _run(port: int, rate: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    found: Counter[str] = Counter()
    took: list[float] = []
    print("loading", flush=True)
    async with asyncio.TaskGroup() as group:
        started, sent = time.monotonic(), 0
        while not stopped.is_set():
            due = int((time.monotonic() - started) * rate)
            for _ in range(due - sent):  # late ones are made up for: the rate holds whatever the answers take
                group.create_task(_request(port, found, took))
            sent = max(sent, due)
            await asyncio.sleep(0.005)
    seconds, ordered = round(time.monotonic() - started, 1), sorted(took)
    failed = {why: count for why, count in found.items() if why}
    p50, p99 = (round(1000 * ordered[len(ordered) * each // 100], 1) for each in (50, 99))
    print(json.dumps({"sent": sent, "seconds": seconds, "failed": failed, "p50_ms": p50, "p99_ms": p99}))


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2])))
