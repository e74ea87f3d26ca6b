"""Supervises one service on one machine: owns the listening socket, hands it to one process per worker.

Started as a script with the service's run folder as its argument; standard library only, all of it imported at
the start, so that it outlives edits to the checkout and its virtualenv. It reads `desired.json` at the start and at
each SIGHUP, starts that release on the shared socket, and only when every worker of it is ready stops the release
before; a release that does not get ready is stopped and the one before goes on. Each outcome is written to
`status.json` under the generation that was asked for. SIGTERM drains the workers and ends. `lock` is held for life:
who can take it knows that no supervisor runs here. The script returns at once and leaves the supervisor behind it;
it exits with 2 where one runs already.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

READY_SECONDS = 120
DRAIN_SECONDS = 30
BACKLOG = 2048
REASON_LINES = 12


class NotReady(Exception):
    """A release did not get ready; the message is what its process said last."""


class Supervisor:
    """The workers of the release that serves, and the socket that outlives them."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.desired: dict[str, Any] = json.loads((run / "desired.json").read_text())
        self.serving: dict[str, Any] | None = None
        self.workers: list[Process] = []
        self.socket = new_socket()
        # Workers hold the read end: it ends with this process, however it dies, and they end with it.
        self.parent_read, self.parent_write = os.pipe()
        self.metrics: Path | None = None
        self.metrics_socket: socket.socket | None = None

    async def main(self) -> int:
        """Serves until SIGTERM. 1 if the first release never got ready."""
        events: asyncio.Queue[signal.Signals] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, events.put_nowait, number)
        try:
            self.socket.bind(("127.0.0.1", self.desired["port"]))
            self.socket.listen(BACKLOG)
        except OSError as error:
            self.report(f"port {self.desired['port']}: {error.strerror}")
            return 1
        await self.roll()
        failed = self.serving is None
        while self.serving and await events.get() is signal.SIGHUP:
            try:
                desired = json.loads((self.run / "desired.json").read_text())
                asked = desired["generation"] != self.desired["generation"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.report(f"desired.json can't be read: {error!r}")
                continue
            if asked:
                self.desired = desired
                await self.roll()
        self.serving = None
        workers, self.workers = self.workers, []
        await asyncio.gather(*(stop(worker) for worker in workers))
        return int(failed)

    async def roll(self) -> None:
        """Makes the desired release the serving one, or reports why the one before goes on."""
        release = self.desired["release"]
        try:
            metrics_socket = self.bind_metrics(release.get("metrics_port"))
        except OSError as error:
            self.report(f"metricsPort {release['metrics_port']}: {error.strerror}")
            return
        metrics = Path(tempfile.mkdtemp(prefix="metrics-", dir=self.run))
        # The first worker proves the release before the others take time from the one that serves.
        started = await self.start_all(release, metrics, metrics_socket, 1)
        if not any(isinstance(outcome, NotReady) for outcome in started):
            started += await self.start_all(release, metrics, metrics_socket, release["workers"] - 1)
        workers = [outcome for outcome in started if not isinstance(outcome, NotReady)]
        if refusal := next((outcome for outcome in started if isinstance(outcome, NotReady)), None):
            await asyncio.gather(*(stop(worker) for worker in workers))
            remove(metrics)
            if metrics_socket and metrics_socket is not self.metrics_socket:
                metrics_socket.close()
            self.report(str(refusal))
            return
        old, old_metrics = self.workers, self.metrics
        self.workers, self.metrics, self.serving = workers, metrics, release
        if self.metrics_socket and self.metrics_socket is not metrics_socket:
            self.metrics_socket.close()
        self.metrics_socket = metrics_socket
        for worker in workers:
            asyncio.get_running_loop().create_task(self.keep(worker, release, metrics, metrics_socket))
        self.report(None)
        await asyncio.gather(*(stop(worker) for worker in old))
        if old_metrics:
            remove(old_metrics)

    def bind_metrics(self, port: int | None) -> socket.socket | None:
        """The socket of /metrics, which outlives workers too; the one so far where the port stays. Raises OSError."""
        if port is None:
            return None
        if self.metrics_socket and self.metrics_socket.getsockname()[1] == port:
            return self.metrics_socket
        bound = new_socket()
        try:
            bound.bind(("127.0.0.1", port))
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            raise
        return bound

    async def start_all(
        self, release: dict[str, Any], metrics: Path, metrics_socket: socket.socket | None, count: int
    ) -> list[Process | NotReady]:
        """`count` workers side by side: each of them, or why it did not get ready."""

        async def outcome() -> Process | NotReady:
            try:
                return await self.start(release, metrics, metrics_socket)
            except NotReady as refusal:
                return refusal

        return list(await asyncio.gather(*(outcome() for _ in range(count))))

    async def start(self, release: dict[str, Any], metrics: Path, metrics_socket: socket.socket | None) -> Process:
        """One worker that accepts on the socket. Raises NotReady."""
        ready_read, ready_write = os.pipe()
        log = (self.run / "log").open("ab")
        start = log.tell()
        # The caller's PYTHONPATH leads to its checkout; a release runs on its own code alone.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [
            *(release["python"], "-m", release["module"], "--artifact", release["artifact"]),
            *("--fd", str(self.socket.fileno()), "--ready-fd", str(ready_write)),
            *("--parent-fd", str(self.parent_read)),
        ]
        inherits = [self.socket.fileno(), ready_write, self.parent_read]
        if metrics_socket:
            command += ["--metrics-fd", str(metrics_socket.fileno())]
            inherits.append(metrics_socket.fileno())
        try:
            worker = await asyncio.create_subprocess_exec(
                *command,
                cwd=release["code"],
                env={**inherited, **release["environment"], "PROMETHEUS_MULTIPROC_DIR": str(metrics)},
                pass_fds=inherits,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        except OSError as error:
            os.close(ready_read)
            raise NotReady(f"{release['python']} can't be started: {error.strerror}") from error
        finally:
            os.close(ready_write)
            log.close()
        try:
            said = await asyncio.wait_for(read_all(ready_read), READY_SECONDS)
        except TimeoutError:
            worker.kill()
            await worker.wait()
            raise NotReady(f"not ready after {READY_SECONDS} s\n{self.said_since(start)}") from None
        except asyncio.CancelledError:
            worker.kill()
            raise
        if said.strip() != b"ready":
            code = await worker.wait()
            raise NotReady(f"exited with {code} before it was ready\n{self.said_since(start)}")
        return worker

    async def keep(
        self, worker: Process, release: dict[str, Any], metrics: Path, metrics_socket: socket.socket | None
    ) -> None:
        """Starts a worker again for as long as its release serves; pauses longer after each failure."""
        pause = 0.1
        while True:
            await worker.wait()
            if worker not in self.workers:
                return
            self.workers.remove(worker)
            while release is self.serving:
                try:
                    worker = await self.start(release, metrics, metrics_socket)
                    break
                except NotReady as error:
                    self.report(f"a worker died and can't be started again: {error}")
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 10.0)
            if release is not self.serving:
                await stop(worker)
                return
            self.workers.append(worker)
            pause = 0.1
            self.report(None)

    def report(self, error: str | None) -> None:
        """Writes what is so now, whole or not at all."""
        status = {
            "generation": self.desired["generation"],
            "owner": self.desired.get("owner"),
            "serving": self.serving,
            "workers": [worker.pid for worker in self.workers],
            "error": error,
        }
        temporary = self.run / "status.json.new"
        temporary.write_text(json.dumps(status))
        temporary.replace(self.run / "status.json")

    def said_since(self, start: int) -> str:
        with (self.run / "log").open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-REASON_LINES:])


def new_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


async def stop(worker: Process) -> None:
    """Lets a worker finish what it has accepted, then ends it."""
    with contextlib.suppress(ProcessLookupError):
        worker.terminate()
        try:
            await asyncio.wait_for(worker.wait(), DRAIN_SECONDS)
        except TimeoutError:
            worker.kill()
            await worker.wait()


async def read_all(descriptor: int) -> bytes:
    """What is written to a pipe until its last writer is gone."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        return await reader.read()
    finally:
        transport.close()


def remove(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink(missing_ok=True)
    folder.rmdir()


def main(run: Path) -> int:
    with (run / "lock").open("a+") as lock:
        # Whoever asks whether we are alive holds the lock for an instant, so one refusal says nothing.
        for _ in range(50):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
        else:
            return 2
        # The caller goes on while the child supervises; the lock is the open file's, so the child keeps it.
        if os.fork():
            return 0
        os.setsid()
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return asyncio.run(Supervisor(run).main())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
