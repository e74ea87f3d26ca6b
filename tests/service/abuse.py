"""Faults that clients commit, at any size: the suite commits them small and quick, tests/faults in earnest."""

import asyncio
import json
import os
import random
import re
import subprocess
import time
from collections import Counter

import psutil

from bench.client import Tally, load, request
from tests.callers import HEADERS
from tests.service.conftest import ROOT

GOOD = request("/predict", json.dumps({"inputs": {"features": [1, 2, 3, 4]}}).encode())
LOOKUP = [request("/predict", json.dumps({"inputs": {"ids": [n % 10, (n + 3) % 10]}}).encode()) for n in range(24)]
POISONS = [
    b'{"inputs":{"ids":%b}}' % value
    for value in (b"[11,1]", b"[1]", b"[NaN,1]", b'["1",1]', b"[[1,2],[3]]", b"[1.5,2]")
]
SLOW = {
    "nothing at all": b"",
    "half a request line": b"POST /pre",
    "half a head": b"POST /predict HTTP/1.1\r\nhost: x\r\nx-a: ",
    "half a body": GOOD[:-5],
    "half a chunk": b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\nff\r\n{",
}


async def poison(port: int, rounds: int) -> tuple[int, int]:
    """`rounds` of 24 requests at once, one of them bad: how many good ones were asked, and not answered right.

    The model looks two numbers up in the table 0.0 to 9.0, so every answer is known.
    """
    asked = failed = 0
    rng = random.Random(7)
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(24)]
    for number in range(rounds):
        bad = rng.randrange(24)
        requests = list(LOOKUP)
        requests[bad] = request("/predict", POISONS[number % len(POISONS)])
        answers = await asyncio.gather(*(_ask(*pair, text) for pair, text in zip(connections, requests, strict=True)))
        for index, (status, answer) in enumerate(answers):
            if index == bad:
                failed += not 400 <= status < 500
                continue
            asked += 1
            expected = [float(index % 10), float((index + 3) % 10)]
            failed += (status, answer.get("outputs")) != (200, {"values": expected})
    for _, writer in connections:
        writer.close()
    return asked, failed


async def slow_sockets(port: int, count: int, hold: float) -> tuple[Tally, int, float]:
    """Good requests at ten a second while `count` sockets send half of something and then, now and then, a byte.

    Returns the good ones' tally, how many slow sockets the server had closed after `hold` seconds, and how long the
    last of them was kept, in seconds.
    """
    kept: list[float] = []

    async def dawdle(said: bytes) -> None:
        begin = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        try:
            while True:
                try:
                    async with asyncio.timeout(1):
                        if not await reader.read(65536):
                            break
                except TimeoutError:
                    if said:
                        writer.write(b"a")
        except OSError:
            pass
        kept.append(time.monotonic() - begin)
        writer.close()

    slow = [asyncio.create_task(dawdle(list(SLOW.values())[n % len(SLOW)])) for n in range(count)]
    await asyncio.sleep(min(1.0, hold / 4))
    good = await load(port, GOOD, 4, hold, rate=10)
    for task in slow:
        task.cancel()
    for outcome in await asyncio.gather(*slow, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    return good, len(kept), max(kept, default=0.0)


async def too_large(port: int, size: int) -> tuple[int, int]:
    """A chunked body without length that grows until the server refuses: the status, and the bytes sent by then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(SLOW["half a chunk"].partition(b"ff\r\n")[0])
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    answer = asyncio.ensure_future(reader.read(200))
    try:
        while sent < size and not answer.done():
            writer.write(chunk)
            await writer.drain()
            sent += 0x10000
    except OSError:
        pass
    status = int((await answer)[9:12])
    writer.close()
    return status, sent


def fuzz(peers: str, url: str, examples: int, seed: int = 7) -> tuple[int, str]:
    """Schemathesis over a closed service's own description, `examples` for each operation and phase.

    Returns the number of generated cases and what it printed; raises where it found something.
    """
    command = [os.path.join(os.path.dirname(peers), "schemathesis"), "--config-file", "tests/service/schemathesis.toml"]
    command += ["run", f"{url}/openapi.json", "--max-examples", str(examples), "--seed", str(seed), "--no-color"]
    command += ["--header", f"Authorization: {HEADERS['authorization']}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = re.search(r"([\d,]+) generated", done.stdout)
    return int(cases[1].replace(",", "")) if cases else 0, done.stdout


def resources(pid: int) -> tuple[int, int, int]:
    """Resident bytes, open descriptors and threads of a process."""
    process = psutil.Process(pid)
    return process.memory_info().rss, process.num_fds(), process.num_threads()


def only_ok(tally: Tally) -> bool:
    return set(tally.statuses) == {200}


def statuses(tally: Tally) -> Counter[int]:
    return tally.statuses


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> tuple[int, dict]:
    writer.write(text)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head)[1])
    return int(head[9:12]), json.loads(await reader.readexactly(length))
