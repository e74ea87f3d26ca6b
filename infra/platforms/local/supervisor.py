"""Supervises one service on one machine: owns the listening socket, hands it to one process per worker.

Started as a script with the service's run folder as its argument; standard library only, all of it imported at
the start, so that it outlives edits to the checkout and its virtualenv. It reads `desired.json` at the start and at
each SIGHUP, starts that release on the shared socket, and only when every worker of it is ready stops the release
before; a release that does not get ready is stopped and the one before goes on. Each outcome is written to
`status.json` under the generation that was asked for, as soon as the disk takes it. A worker that dies is started
again, whatever the disk and the descriptors allow, at most every PAUSES seconds. SIGTERM drains the workers and ends.
`lock` is held for life: who can take it knows that no supervisor runs here. The script returns at once and leaves the
supervisor behind it; it exits with 2 where one runs already.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

READY_SECONDS = 120
# Before a worker is started again: the first if it had lasted, else twice as long as the time before.
PAUSES, LASTING_SECONDS = (0.1, 10.0), 60.0
UNSAID_SECONDS = 1.0
TIDY_SECONDS = 3600.0
LOG_TIME = b'{"time": "'
COUNTERS_BYTES = 16 << 20  # of one worker; what it does not use takes no memory
DRAIN_SECONDS = 30
BACKLOG = 2048
REASON_LINES = 12


class NotReady(Exception):
    """A release did not get ready; the message is what its process said last."""


@dataclass(eq=False)
class Fleet:
    """The workers of one release by their number, and what they share: `counters` is memory, as a descriptor."""

    release: dict[str, Any]
    counters: int
    metrics_socket: socket.socket | None
    workers: dict[int, Process] = field(default_factory=dict)

    async def stop(self) -> None:
        await asyncio.gather(*(stop(worker) for worker in self.workers.values()))
        os.close(self.counters)


class Supervisor:
    """The workers of the release that serves, and the socket that outlives them."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.desired: dict[str, Any] = json.loads((run / "desired.json").read_text())
        self.generation: int | None = None  # the last that is decided
        self.serving: Fleet | None = None
        self.error: str | None = None
        self.unsaid: asyncio.TimerHandle | None = None
        self.socket = new_socket()
        # Workers hold the read end: it ends with this process, however it dies, and they end with it.
        self.parent_read, self.parent_write = os.pipe()

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
            self.generation = self.desired["generation"]
            self.report(f"port {self.desired['port']}: {error.strerror}")
            return 1
        await self.roll()
        failed = self.serving is None
        tidying = loop.create_task(self.tidy())
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
        tidying.cancel()
        last, self.serving = self.serving, None
        if last:
            await last.stop()
        return int(failed)

    async def roll(self) -> None:
        """Makes the desired release the serving one, or reports why the one before goes on."""
        old = self.serving
        error = await self.take(old)
        self.generation = self.desired["generation"]
        self.report(error)
        if old and old is not self.serving:
            await old.stop()

    async def take(self, old: Fleet | None) -> str | None:
        """Starts the desired release beside the old one, and makes it the serving one; else why not."""
        release = self.desired["release"]
        try:
            metrics_socket = self.bind_metrics(release.get("metrics_port"))
        except OSError as error:
            return f"metricsPort {release['metrics_port']}: {error.strerror}"
        try:
            fleet = Fleet(release, new_counters(release["workers"]), metrics_socket)
        except OSError as error:
            return f"there is no memory for its counters: {error.strerror}"
        # The first worker proves the release before the others take time from the one that serves.
        refusal = await self.start_all(fleet, (0,)) or await self.start_all(fleet, range(1, release["workers"]))
        if refusal:
            await fleet.stop()
        before = old.metrics_socket if old else None
        unused = metrics_socket if refusal else before
        if unused and before is not metrics_socket:
            unused.close()
        if refusal:
            return refusal
        self.serving = fleet
        for number, worker in fleet.workers.items():
            asyncio.get_running_loop().create_task(self.keep(fleet, number, worker))
        return None

    def bind_metrics(self, port: int | None) -> socket.socket | None:
        """The socket of /metrics, which outlives workers too; the one so far where the port stays. Raises OSError."""
        if port is None:
            return None
        known = self.serving.metrics_socket if self.serving else None
        if known and known.getsockname()[1] == port:
            return known
        bound = new_socket()
        try:
            bound.bind(("127.0.0.1", port))
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            raise
        return bound

    async def start_all(self, fleet: Fleet, numbers: Iterable[int]) -> str | None:
        """Starts workers side by side; None, or why one of them did not get ready."""

        async def refusal(number: int) -> str | None:
            try:
                fleet.workers[number] = await self.start(fleet, number)
            except NotReady as error:
                return str(error)
            return None

        refusals = await asyncio.gather(*map(refusal, numbers))
        return next(filter(None, refusals), None)

    async def start(self, fleet: Fleet, number: int) -> Process:
        """One worker that accepts on the socket. Raises NotReady."""
        try:
            worker, ready, start = await self.spawn(fleet, number)
        except OSError as error:
            what = fleet.release["python"] if error.errno == errno.ENOENT else "a worker"
            raise NotReady(f"{what} can't be started: {error.strerror}") from error
        try:
            said = await asyncio.wait_for(read_all(ready), READY_SECONDS)
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

    async def spawn(self, fleet: Fleet, number: int) -> tuple[Process, int, int]:
        """A worker, the pipe on which it says that it is ready, and where in the log it begins. Raises OSError."""
        release, metrics_socket = fleet.release, fleet.metrics_socket
        with contextlib.ExitStack() as opened:
            log = opened.enter_context(self.log())
            ready, said = os.pipe()
            opened.callback(os.close, said)
            # The caller's PYTHONPATH leads to its checkout; a release runs on its own code alone.
            inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
            command = [
                *(release["python"], "-m", release["module"], "--artifact", release["artifact"]),
                *("--fd", str(self.socket.fileno()), "--ready-fd", str(said)),
                *("--parent-fd", str(self.parent_read)),
            ]
            inherits = [self.socket.fileno(), said, self.parent_read, fleet.counters]
            if metrics_socket:
                command += ["--metrics-fd", str(metrics_socket.fileno())]
                inherits.append(metrics_socket.fileno())
            counters = f"{fleet.counters}:{number}:{release['workers']}"
            try:
                worker = await asyncio.create_subprocess_exec(
                    *command,
                    cwd=release["code"],
                    env={**inherited, **release["environment"], "SLIPWAY_COUNTERS": counters},
                    pass_fds=inherits,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            except OSError:
                os.close(ready)
                raise
            return worker, ready, log.tell()

    async def keep(self, fleet: Fleet, number: int, worker: Process) -> None:
        """Starts a worker again for as long as its release serves; pauses longer after each that did not last."""
        pause = PAUSES[0]
        while True:
            started = time.monotonic()
            await worker.wait()
            if fleet is not self.serving:
                return
            del fleet.workers[number]
            if time.monotonic() - started > LASTING_SECONDS:
                pause = PAUSES[0]
            self.write_status()
            while number not in fleet.workers:
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSES[1])
                if fleet is not self.serving:
                    return
                try:
                    worker = await self.start(fleet, number)
                except Exception as error:  # whatever it is, it is tried again
                    self.report(f"a worker died and can't be started again: {error}")
                    continue
                if fleet is not self.serving:
                    await stop(worker)
                    return
                fleet.workers[number] = worker
            self.report(None)

    async def tidy(self) -> None:
        """Keeps lines of the log for as many days as the release says."""
        while True:
            days = self.serving.release["environment"].get("SLIPWAY_LOG_DAYS") if self.serving else None
            with contextlib.suppress(OSError, ValueError):
                if days:
                    await asyncio.to_thread(drop_old, self.run / "log", float(days))
            await asyncio.sleep(TIDY_SECONDS)

    def report(self, error: str | None) -> None:
        """Says what is so now."""
        self.error = error
        self.write_status()

    def write_status(self) -> None:
        """Writes it, whole or not at all; where the disk does not take it, again later."""
        if self.unsaid:
            self.unsaid.cancel()
            self.unsaid = None
        serving = self.serving
        status = {
            "generation": self.generation,
            "owner": self.desired.get("owner"),
            "serving": serving.release if serving else None,
            "workers": [worker.pid for worker in serving.workers.values()] if serving else [],
            "error": self.error,
        }
        temporary = self.run / "status.json.new"
        try:
            temporary.write_text(json.dumps(status))
            temporary.replace(self.run / "status.json")
        except OSError:
            self.unsaid = asyncio.get_running_loop().call_later(UNSAID_SECONDS, self.write_status)

    def log(self) -> BinaryIO:
        """The log, to be appended to; nothing where its disk is read-only."""
        try:
            return (self.run / "log").open("ab")
        except OSError:
            return open(os.devnull, "ab")

    def said_since(self, start: int) -> str:
        try:
            with (self.run / "log").open("rb") as log:
                log.seek(start)
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError as error:
            return f"its log can't be read: {error.strerror}"
        return "\n".join(lines[-REASON_LINES:])


def drop_old(log: Path, days: float) -> None:
    """Drops lines that are too old, and those that tell no time beside them, until the first that is new enough.

    Workers go on writing: a line that comes between the copy and the cut is lost with the old ones.
    """
    oldest = datetime.fromtimestamp(time.time() - days * 86400, UTC).isoformat(timespec="milliseconds").encode()
    seen, old = 0, False
    with log.open("r+b") as file:
        for line in file:
            if line.startswith(LOG_TIME):
                if line[len(LOG_TIME) :] >= oldest:
                    break
                old = True
            seen += len(line)
        start, kept = seen if old else 0, 0
        while start and (piece := os.pread(file.fileno(), 1 << 20, start + kept)):
            kept += os.pwrite(file.fileno(), piece, kept)
        if start:
            file.truncate(kept)


def new_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def new_counters(workers: int) -> int:
    """Memory for counters of a release's workers, as a descriptor; it is no file, so no disk can fail it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("slipway-counters")
    else:  # macOS: a file without a name
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, workers * COUNTERS_BYTES)
    return descriptor


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
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        with contextlib.suppress(OSError):  # it is held, whatever it says
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        return asyncio.run(Supervisor(run).main())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
