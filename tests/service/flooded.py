"""A service under a flood: what it holds, what good clients get, and whether it answers its probes."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass

import psutil

from bench.client import load, request
from tests.callers import HEADERS
from tests.service.conftest import ROOT, Worker

GOOD = request("/predict", json.dumps({"inputs": {"features": [1, 2, 3, 4]}}).encode(), **HEADERS)
# As infra/workload/pod.py has Kubernetes ask, but 20 times as often.
PROBE_SECONDS, PROBE_TIMEOUT = 0.25, 5.0
MEMORY = 512 * 1024 * 1024


@dataclass
class Found:
    """`grown`: bytes over the quiet service at the worst moment. `late`: probes and scrapes without a timely 200, and
    `in_a_row` the most of one port that followed each other: a pod is not ready after two, five seconds apart."""

    grown: int = 0
    good: int = 0
    failed: int = 0
    probes: int = 0
    late: int = 0
    in_a_row: int = 0
    slowest: float = 0.0
    sent: int = 0
    connections: int = 0


# The ports that strangers may reach, and what they may ask for there.
PORTS = {"service": "/livez", "metrics": "/metrics"}


def flood(worker: Worker, kind: str, attacked: str, seconds: float, scale: float = 1.0) -> Found:
    """`kind` of floods.KINDS against one of PORTS for `seconds`, beside good requests, and probes and scrapes over
    connections of their own.

    The process may map as much memory as a pod of 512 MiB has: it dies of more, as the pod does.
    """
    process = psutil.Process(worker.process.pid)
    process.rlimit(psutil.RLIMIT_DATA, (MEMORY, MEMORY))
    asyncio.run(load(_port(worker.url), GOOD, 4, 0.2))
    asyncio.run(_probe(_port(worker.metrics), "/metrics"))
    quiet = process.memory_info().rss
    _forget_peak(process.pid)
    port = _port(worker.url if attacked == "service" else worker.metrics)
    command = [sys.executable, "-m", "tests.service.floods", kind, str(port), PORTS[attacked], str(seconds), str(scale)]
    attacker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert attacker.stdout is not None and attacker.stdout.readline() == "begins\n"
        found = asyncio.run(_watch(worker, seconds))
        output, _ = attacker.communicate(timeout=30)
    finally:
        attacker.kill()
        attacker.wait()
    found.sent, found.connections = map(int, output.split())
    found.grown = _peak(process.pid) - quiet
    return found


async def _watch(worker: Worker, seconds: float) -> Found:
    found, end = Found(), time.monotonic() + seconds
    service, metrics = _port(worker.url), _port(worker.metrics)

    async def probing(port: int, path: str) -> None:
        late = 0
        while time.monotonic() < end:
            begun = time.monotonic()
            late = 0 if await _probe(port, path) else late + 1
            found.probes += 1
            found.late += bool(late)
            found.in_a_row = max(found.in_a_row, late)
            found.slowest = max(found.slowest, time.monotonic() - begun)
            await asyncio.sleep(PROBE_SECONDS)

    good, *_ = await asyncio.gather(
        load(service, GOOD, 4, seconds, rate=40), probing(service, "/readyz"), probing(metrics, "/metrics")
    )
    found.good = good.statuses[200]
    found.failed = sum(good.statuses.values()) - found.good
    return found


async def _probe(port: int, path: str) -> bool:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(PROBE_TIMEOUT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return answer.startswith(b"HTTP/1.1 200")
    return False


def _peak(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def _forget_peak(pid: int) -> None:
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def _port(url: str) -> int:
    return int(url.partition("//")[2].partition(":")[2].partition("/")[0])
