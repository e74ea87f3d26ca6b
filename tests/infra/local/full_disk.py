"""A service whose disk fills up, in a mount namespace of its own: `unshare -m python -m tests.infra.local.full_disk
HOME ARTIFACT PORT` by root. It says as JSON what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from slipway.infra.home import ROOT
from slipway.infra.platforms.local import runtime
from slipway.infra.resources.command import SlipwayError

from tests.callers import HEADERS, access

OWNER = runtime.Owner("x", "stack slipway/test in file:///here")
BODY = {"inputs": {"x": [3]}}


def main(home: Path, artifact: str, port: int) -> dict[str, Any]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", home], check=True)
    release = runtime.Release(
        python=sys.executable,
        module="slipway.service",
        code=str(ROOT),
        artifact=artifact,
        workers=2,
        environment={"SLIPWAY_LOG_REQUESTS": "1"},
    )
    runtime.roll(port, OWNER, release, access())
    try:
        return {kind: suffered(port, release, *how(home)) for kind, how in (("full", full), ("read-only", read_only))}
    finally:
        runtime.stop(port, OWNER)


def suffered(port: int, release: runtime.Release, begin: Callable[[], None], end: Callable[[], None]) -> dict[str, Any]:
    """What a service does while its disk is not well, and after."""
    found: dict[str, Any] = {}
    wait(lambda: len(pids(port)) == 2)  # those of the release before have drained
    before = pids(port)
    begin()
    found["predictions"] = [predict(port).status_code for _ in range(50)]
    found["workers stayed"] = pids(port) == before
    found["feedback"] = feedback(port)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    found["started again"] = bool(wait(lambda: len(pids(port)) == 2 and not set(pids(port)) & set(before)))
    found["answers again"] = predict(port).status_code
    found["counts"] = scored(port)
    try:
        runtime.roll(port, OWNER, release, access(rate={"perKey": 10_000}))
        found["rolled"] = ""
    except SlipwayError as error:
        found["rolled"] = str(error)
    found["still"] = predict(port).status_code
    end()
    found["feedback after"] = feedback(port)
    found["status after"] = bool(wait(lambda: told(port) == pids(port)))
    runtime.roll(port, OWNER, release, access())
    found["healed"] = predict(port).status_code
    return found


def full(home: Path) -> tuple[Callable[[], None], Callable[[], None]]:
    def fill() -> None:
        for size in (65536, 1):  # also the last byte
            with (home / "filler").open("ab", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(size))

    return fill, (home / "filler").unlink


def read_only(home: Path) -> tuple[Callable[[], None], Callable[[], None]]:
    def remount(how: str) -> Callable[[], None]:
        # As a kernel does after an error of the disk: without asking whether a file is open for writing.
        return lambda: subprocess.run(["mount", "-o", f"bind,remount,{how}", home], check=True) and None

    subprocess.run(["mount", "--bind", home, home], check=True)
    return remount("ro"), remount("rw")


def predict(port: int) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/predict", json=BODY, headers=HEADERS, timeout=60)


def feedback(port: int) -> int:
    token = predict(port).headers["x-prediction-token"]
    told = {"token": token, "label": 1.0}
    return httpx.post(f"http://127.0.0.1:{port}/feedback", json=told, headers=HEADERS, timeout=60).status_code


def scored(port: int) -> int:
    status = httpx.get(f"http://127.0.0.1:{port}/status", headers=HEADERS, timeout=60).json()
    return int(status["answers"]["/predict"]["200"])


def pids(port: int) -> list[int]:
    return (runtime.serving(port) or {"pids": []})["pids"]


def told(port: int) -> list[int]:
    return sorted(json.loads((runtime.run_folder(port) / "status.json").read_text())["workers"])


def wait(condition: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


if __name__ == "__main__":
    home, artifact, port = sys.argv[1:]
    os.environ["SLIPWAY_HOME"] = home
    print(json.dumps(main(Path(home), artifact, int(port))))
