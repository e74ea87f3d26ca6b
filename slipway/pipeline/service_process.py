"""A service on an artifact, as a process of its own, for as long as it is called."""

import json
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 300.0
ROOT = Path(__file__).resolve().parents[2]  # where the service is imported from


class NotServed(Exception):
    """A service that does not start on an artifact, or answers otherwise than it should; the message says how."""


class TooSlow(NotServed):
    """A request that the service gave up: its answer would have come later than a request may take."""


@dataclass(frozen=True)
class Running:
    """`port` on this machine; `seconds` from the process's start until it accepted requests."""

    port: int
    seconds: float


@contextmanager
def running(command: list[str], artifact: Path) -> Iterator[Running]:
    """Starts `command` on `artifact` and ends it afterwards. Raises NotServed with the service's own reason.

    The process has an empty home of its own, and open access on the loopback address.
    """
    ready, written = os.pipe()
    with tempfile.TemporaryDirectory() as scratch, socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        errors = Path(scratch, "errors")
        descriptors = ["--fd", str(listener.fileno()), "--ready-fd", str(written)]
        begun = time.perf_counter()
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [*command, "--artifact", str(artifact), "--access", "open", *descriptors],
                cwd=ROOT,
                env={"PATH": os.environ.get("PATH", ""), "HOME": scratch, "BENTOML_HOME": scratch},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(listener.fileno(), written),
            )
        os.close(written)
        try:
            there, _, _ = select.select([ready], [], [], START_SECONDS)
            if not there:
                raise NotServed(f"the service did not start within {START_SECONDS:g} seconds")
            if os.read(ready, 6) != b"ready\n":
                process.wait()
                raise NotServed(_last_line(errors) or f"the service ended with code {process.returncode}")
            yield Running(listener.getsockname()[1], round(time.perf_counter() - begun, 2))
        finally:
            os.close(ready)
            process.kill()
            process.wait()


def _last_line(errors: Path) -> str:
    """The last thing the service said, without the name that it begins with; a log line's message."""
    lines = errors.read_text(errors="replace").strip().splitlines()
    if not lines:
        return ""
    try:
        return str(json.loads(lines[-1])["message"])
    except (ValueError, KeyError, TypeError):
        return lines[-1].removeprefix("slipway: ")[:500]
