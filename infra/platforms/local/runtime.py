"""Starts, rolls, asks and stops the supervisor that serves a port of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from slipway.infra.home import home
from slipway.infra.resources.command import SlipwayError

ROLL_SECONDS = 300
STOP_SECONDS = 60
# For a service to be whole and answer: a worker that has died is started again by then.
HEALTHY_SECONDS = 5
# Processes look twice a second whether their access file has changed.
LOOK_SECONDS = 2.0
ACCESS = "access.json"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SUPERVISOR = Path(__file__).with_name("supervisor.py")
# What a service learns of the shell that it was started from. It answers strangers and outlives the update: the rest
# may be passphrases, keys and the clouds' credentials, or settings that nobody declared.
KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy"
    r"|(OTEL|CUDA|NVIDIA|OMP|MALLOC)_\w+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Owner:
    """Whose a port is. `stack` tells stacks of one name in two backends apart."""

    service: str
    stack: str

    def __str__(self) -> str:
        return f"service {self.service!r} of {self.stack}"


@dataclass(frozen=True, kw_only=True)
class Release:
    """What one version of a service runs: interpreter, module, code folder, artifact folder, processes, settings.

    No secrets: it is written to files that tell what runs.
    """

    python: str
    module: str
    code: str
    artifact: str
    workers: int
    environment: dict[str, str]
    metrics_port: int | None = None


def run_folder(port: int) -> Path:
    """The port's folder: at most one supervisor works in it, and it is gone when the service is."""
    return home() / "run" / str(port)


def roll(port: int, owner: Owner, release: Release, access: str) -> None:
    """Makes `release` the one that serves `port`, to those whom the access file `access` names; returns once ready.

    Raises:
        SlipwayError: the port is somebody else's, or the release did not get ready (the one before then serves on).
    """
    run = run_folder(port)
    environment = {**release.environment, "SLIPWAY_ACCESS": str(run / ACCESS), "SLIPWAY_SEEN": str(run / "seen.db")}
    release = replace(release, environment=environment)
    with _exclusive(run):
        before, access_before = _read(run / "desired.json"), access
        if alive(run):
            _refuse_other_stack(run, port, owner)
            access_before = (run / ACCESS).read_text() if (run / ACCESS).exists() else access
            _write_secret(run / ACCESS, access)
            _desire(run, port, owner, release)
            _signal(run, signal.SIGHUP)
        else:
            _clear(run)
            if not is_free(port):
                shutil.rmtree(run)
                raise SlipwayError(
                    f"port {port} is taken{listener(port)}: stop that program, "
                    "or set another `port` for this service in Pulumi.<stack>.yaml"
                )
            _write_secret(run / ACCESS, access)
            _desire(run, port, owner, release)
            with (run / "log").open("ab") as log:
                command = [sys.executable, str(SUPERVISOR), str(run)]
                kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=kept, check=True)
        error = _outcome(run)
        if error is None:
            return
        if alive(run) and _read(run / "status.json").get("serving"):
            _write_secret(run / ACCESS, access_before)
            if before:
                _write(run / "desired.json", {**before, "generation": _generation()})
            raise SlipwayError(f"the new version did not get ready; the one before serves on\n{error}")
        _clear(run)
        shutil.rmtree(run)
        raise SlipwayError(f"the service did not get ready, nothing is served on port {port}\n{error}")


def grant(port: int, access: str) -> None:
    """Changes who may ask the service on `port`; its processes know by the time this returns."""
    with _exclusive(run_folder(port)):
        _write_secret(run_folder(port) / ACCESS, access)
        time.sleep(LOOK_SECONDS)


def serving(port: int) -> dict[str, Any] | None:
    """The release that serves `port`, with its `owner` and worker `pids`; None where none does, a worker is missing,
    or no answer comes. Only the release's name is believed of a file: the processes are asked how they are."""
    run, end = run_folder(port), time.monotonic() + HEALTHY_SECONDS
    while alive(run) and (release := _read(run / "status.json").get("serving")):
        pids = _working(run, release)
        if len(pids) >= release["workers"] and _is_ready(port):
            return {**release, "pids": pids, "owner": owner_of(run)}
        if time.monotonic() > end:  # one that has just died is started again meanwhile
            break
        time.sleep(0.1)
    return None


def access_of(port: int) -> str:
    """The text of the access file of the service on `port`; empty where it can't be read."""
    try:
        return (run_folder(port) / ACCESS).read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def why_silent(url: str) -> list[str]:
    """What is known of a service of this machine that does not answer; nothing of another address."""
    parts = urlsplit(url)
    if parts.hostname not in LOOPBACK or parts.port is None:
        return []
    run = run_folder(parts.port)
    if not alive(run):
        return ["its supervisor does not run: make up starts it again"]
    status = _read(run / "status.json")
    if "error" not in status:
        return [f"{run / 'status.json'} can't be read: make up STACK=... starts it again"]
    log = (run / "log").read_text(errors="replace").splitlines()[-5:] if (run / "log").exists() else []
    said = [f"its supervisor says: {status['error']}"] if status["error"] else []
    return said + [f"its log ends: {line[:200]}" for line in log]


def _working(run: Path, release: dict[str, Any]) -> list[int]:
    """The supervisor's processes that run this release and are not stopped."""
    found = []
    with contextlib.suppress(psutil.Error):
        supervisor = _supervisor(run)
        for process in supervisor.children() if supervisor else []:
            with contextlib.suppress(psutil.Error):
                stuck = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD, psutil.STATUS_STOPPED)
                if release["artifact"] in process.cmdline() and not stuck:
                    found.append(process.pid)
    return sorted(found)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(port: int, owner: Owner) -> None:
    """Drains and ends the service, and removes its folder. A port that is another stack's is left alone."""
    run = run_folder(port)
    if owner_of(run) not in (owner, None):
        return
    with _exclusive(run):
        _clear(run)
    shutil.rmtree(run, ignore_errors=True)


def owner_of(run: Path) -> Owner | None:
    """Whose a run folder is, as `roll` was told and its supervisor repeats; None if nothing can be read of it."""
    for name in ("desired.json", "status.json"):
        with contextlib.suppress(KeyError, TypeError):
            return Owner(**_read(run / name)["owner"])
    return None


def alive(run: Path) -> bool:
    """Whether a supervisor works in this folder: it holds the lock for life, so this can't be fooled by old pids."""
    try:
        with (run / "lock").open("rb") as lock:  # the disk may be read-only
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def workers_of(run: Path) -> list[psutil.Process]:
    """Processes of this folder's service, found by the folder's name in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            access = process.environ().get("SLIPWAY_ACCESS", "")
            if Path(access).parent == run or str(run) in process.cmdline():
                found.append(process)
    return found


def _clear(run: Path) -> None:
    """Ends whatever still runs for this folder and empties it."""
    if alive(run):
        _signal(run, signal.SIGTERM)
        # Not for the process: whoever adopted it may take its time to reap it.
        end = time.monotonic() + STOP_SECONDS
        while alive(run) and time.monotonic() < end:
            time.sleep(0.02)
    end = time.monotonic() + 10
    while (left := workers_of(run)) and time.monotonic() < end:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.02)
    for entry in run.iterdir():
        if entry.name == "exclusive":
            continue
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _desire(run: Path, port: int, owner: Owner, release: Release) -> None:
    wanted = {"generation": _generation(), "port": port, "owner": asdict(owner), "release": asdict(release)}
    _write(run / "desired.json", wanted)


def _generation() -> int:
    """One that was never before: also where the last can't be read, the supervisor sees that something is asked."""
    return time.time_ns()


def _outcome(run: Path) -> str | None:
    """Waits for the desired generation: None when it serves, else the reason."""
    wanted = _read(run / "desired.json")["generation"]
    started = time.monotonic()
    while time.monotonic() - started < ROLL_SECONDS:
        living = alive(run)
        status = _read(run / "status.json")
        if status.get("generation") == wanted:
            error: str | None = status.get("error")
            return error
        if not living:
            return f"the supervisor ended\n{(run / 'log').read_text(errors='replace')[-2000:]}"
        time.sleep(0.02)
    return f"no answer from the supervisor in {ROLL_SECONDS} s; its log is {run / 'log'}"


def _refuse_other_stack(run: Path, port: int, owner: Owner) -> None:
    other = owner_of(run)
    if other is None:
        raise SlipwayError(
            f"port {port} is served, and the files in {run} are damaged, so nobody knows for whom: "
            f"make down where that was started, then make up"
        )
    # A service of the same stack may hand its port to another: renamed, it is created before it is deleted.
    if other.stack != owner.stack:
        raise SlipwayError(
            f"port {port} serves {other}: take that down first (make down in its checkout), "
            "or set another `port` for this service in Pulumi.<stack>.yaml"
        )


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listener(port: int) -> str:
    """` by NAME (process PID)` for who listens on the port; empty if it can't be told."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


def _signal(run: Path, number: signal.Signals) -> None:
    """Sends a signal to the folder's supervisor, if it still runs, and to no other process."""
    if process := _supervisor(run):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)  # not to one that has got its number since
            process.resume()


def _supervisor(run: Path) -> psutil.Process | None:
    """The number in `lock` may be damaged, and another's by now: it is the process whose command says so."""

    def is_it(process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            return len(command) > 1 and Path(command[-2]).name == SUPERVISOR.name and Path(command[-1]) == run
        return False

    with contextlib.suppress(psutil.Error, OSError, ValueError, OverflowError):
        if is_it(named := psutil.Process(int((run / "lock").read_text()))):
            return named
    return next(filter(is_it, psutil.process_iter()), None)


def _read(path: Path) -> dict[str, Any]:
    """What a file says; nothing where it is not there, or damaged."""
    try:
        content = json.loads(path.read_text())
    except (OSError, RecursionError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


def _write_secret(path: Path, content: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    temporary.replace(path)


@contextlib.contextmanager
def _exclusive(run: Path) -> Iterator[None]:
    """One change of a port at a time. Raises SlipwayError where the disk does not take what is written meanwhile."""
    try:
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(run / "exclusive", os.O_RDONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
    except OSError as error:
        raise SlipwayError(
            f"{error.filename or run}: {error.strerror}; make room there, or set $SLIPWAY_HOME, and run this again"
        ) from None
