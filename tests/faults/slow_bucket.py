"""Doubles for downloads: a bucket of Google's with one artifact, and a line before it that is as slow as is wanted."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from slipway.infra.home import ROOT, home

from slipway.ops.models.virtualenvs import environment

PIECE = 256 << 10

SERVE = """
import sys
from pathlib import Path
import fsspec
from slipway.pipeline.bucket import Bucket
from tests.pipeline.probes.copies import google

with google(sys.argv[1]) as url:
    fsspec.filesystem("gs").mkdir("models")
    Bucket("gs://models/models/large").put(Path(sys.argv[2]))
    print(url.removeprefix("http://"), flush=True)
    sys.stdin.read()
"""


class Line:
    """A double of what lies between a pod and a bucket. `rate`: bytes a second of each connection, which real buckets
    limit; None: as fast as it goes."""

    def __init__(self, listener: socket.socket) -> None:
        self.address = "{}:{}".format(*listener.getsockname())
        self.rate: float | None = None
        self.behind: tuple[str, int] = ("", 0)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self.behind)
                for one, other, rate in ((near, far, None), (far, near, self.rate)):
                    threading.Thread(target=_pass, args=(one, other, rate), daemon=True).start()


def _pass(one: socket.socket, other: socket.socket, rate: float | None) -> None:
    free = 0.0  # when the line is free again
    with suppress(OSError):
        while piece := one.recv(PIECE):
            if rate:
                free = max(free, time.monotonic()) + len(piece) / rate
                time.sleep(max(0.0, free - time.monotonic()))
            other.sendall(piece)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def bucket(artifact: Path) -> Iterator[Line]:
    """The way to a bucket that holds the artifact as `gs://models/models/large`."""
    python = environment([ROOT / "tests/pipeline/buckets.txt"], home() / "envs")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_"))}
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        line = Line(listener)
        command = [python, "-c", SERVE, line.address, str(artifact)]
        with subprocess.Popen(
            command, cwd=ROOT, env=variables | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as server:  # fmt: skip
            assert server.stdin and server.stdout
            host, _, port = server.stdout.readline().strip().rpartition(":")
            assert port, "the bucket's double did not start"
            line.behind = (host, int(port))
            try:
                yield line
            finally:
                server.stdin.close()
                server.wait(60)


def fetching(line: Line, artifact: str, folder: Path, plain: str = "") -> subprocess.Popen[bytes]:
    """A pod's init container on it, or a `plain` program in its place."""
    code = ["-c", plain] if plain else ["-m", "slipway.service.inference.fetch"]
    pod = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GOOGLE_BASE_URL": f"http://{line.address}"}
    pod["GOOGLE_SKIP_SIGNATURE"] = "true"  # who it is is shown in tests/pipeline/test_copies.py
    return subprocess.Popen([sys.executable, *code, artifact, str(folder)], cwd=ROOT, env=pod)
