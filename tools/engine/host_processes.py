"""The processes that the language host starts, and how they end."""

import contextlib
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from os import killpg
from typing import Any

import grpc

STOP_GRACE_S = 2.0  # the engine kills the host 5 s after asking it to stop


class Processes:
    """Owns every process it has started, one process group each, until that process ends.

    A process ends with the call that asked for it, whether the engine cancels the call or is gone.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def start(self, command: list[str], context: grpc.ServicerContext, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0, **options)
        self._running.add(process)
        # gRPC refuses a callback for a call that has ended already.
        if not context.add_callback(lambda: self.stop(process)):
            self.stop(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        self._running.discard(process)
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                killpg(process.pid, sign)
                process.wait(STOP_GRACE_S)

    def stop_all(self) -> None:
        threads = [threading.Thread(target=self.stop, args=(process,)) for process in list(self._running)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def output(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Pairs ("stdout" or "stderr", bytes) as the process writes them, until it has closed both."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def pump(name: str, stream: Any) -> None:
        while chunk := stream.read1():
            chunks.put((name, chunk))
        chunks.put((name, b""))

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for name, stream in streams.items():
        threading.Thread(target=pump, args=(name, stream), daemon=True).start()
    still_open = len(streams)
    while still_open:
        name, chunk = chunks.get()
        if chunk:
            yield name, chunk
        else:
            still_open -= 1
