"""The cluster as the machine sees it: up, down, and one at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway.infra.home import ROOT

from tests.cluster import build, debian, images, places
from tests.cluster.cache import Unfit
from tests.cluster.parts import cgroups
from tests.cluster.parts.network import OWN_FOLDERS

# What the machine has to bring; everything else is fetched or built.
TOOLS = {
    "go": "install Go 1.26 or newer: https://go.dev/dl/",
    "ip": "apt install iproute2",
    "openssl": "apt install openssl",
    "unshare": "apt install util-linux",
    "mount": "apt install mount",
    "apt-get": "use Debian or Ubuntu",
    "dpkg-deb": "apt install dpkg",
}
ALONE = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "private", "--mount-proc",
         "--net", "--ipc", "--uts")  # fmt: skip
SECONDS = 180


class Refused(Exception):
    """A cluster runs that is not this caller's to replace."""


def unfit() -> str:
    """Why this machine can't run the cluster, and what would help; empty where it can."""
    if platform.system() != "Linux":
        return f"it needs Linux, and this is {platform.system()}: use a virtual machine"
    if os.geteuid() != 0:
        return "it needs root, for namespaces, mounts and cgroups: run it as root, or in a container with --privileged"
    missing = [f"{tool} is not there: {fix}" for tool, fix in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        return "; ".join(missing)
    if hidden := [each for each in OWN_FOLDERS if places.run_folder().is_relative_to(each)]:
        return f"SLIPWAY_HOME is in {hidden[0]}, which the cluster covers with a folder of its own: choose another"
    tried = subprocess.run([*ALONE, "mount", "--make-rshared", "/"], capture_output=True, text=True)
    return f"namespaces are refused: {tried.stderr.strip()}" if tried.returncode else cgroups.unfit()


@contextmanager
def held() -> Iterator[None]:
    """The cluster is the caller's while this lasts. Raises Refused where it is another's."""
    places.run_folder().parent.mkdir(parents=True, exist_ok=True)
    with (places.run_folder().parent / "held").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Refused(f"process {lock.read()} uses the cluster: wait for it, or end it") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def prepare() -> None:
    """Fetches and builds whatever is not cached; minutes the first time. Raises Unfit where this machine can't."""
    if reason := unfit():
        raise Unfit(reason)
    debian.root()
    for module in build.COMMANDS:
        build.commands(module)
    images.pause()
    images.base()


def up(base: str = images.BASE, keep: bool = True) -> dict[str, float]:
    """Starts the cluster and returns the seconds after which each part could be used. Call it while `held`.

    `base`: a name under which pods find the base image, beside its own. What a killed run has left is removed first.
    Unless it is to be kept, the cluster ends with the calling process.

    Raises:
        Unfit: this machine can't run it, or a part did not start.
        Refused: one is up.
    """
    if pid := kept():
        raise Refused(f"a cluster is up (process {pid}): `python -m tests.cluster down` ends it")
    prepare()
    down()
    run = places.run_folder()
    run.mkdir(parents=True)
    if keep:
        (run / "kept").touch()
    owner, ours = os.pipe()
    listeners = [_listen(port) for port in places.PORTS]
    inherited = [each.fileno() for each in listeners] + ([] if keep else [owner])
    command = [sys.executable, "-m", "tests.cluster.node", run, -1 if keep else owner]
    with (run / "log").open("wb") as log:
        process = subprocess.Popen(
            [*ALONE, *map(str, command), *(str(each.fileno()) for each in listeners)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=inherited, start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SLIPWAY_CLUSTER_BASE": base},
        )  # fmt: skip
    os.close(owner)
    _owners.append(ours)  # stays open for as long as this process lives
    for each in listeners:
        each.close()
    (run / "pid").write_text(str(process.pid))
    end = time.monotonic() + SECONDS
    while not (run / "ready").exists():
        if process.poll() is not None or time.monotonic() > end:
            why = (run / "broken") if (run / "broken").exists() else (run / "log")
            process.kill()  # and with it whatever did start; the logs stay until the next one
            raise Unfit(f"the cluster did not start: {why.read_text().strip()[-3000:]}")
        time.sleep(0.05)
    return dict(json.loads((run / "ready").read_text()))


def down() -> None:
    """Ends the cluster, if one runs, and removes what it leaves: its cgroups and its folder."""
    if pid := running():
        # With its first process the kernel ends everything inside; the outer one has seen it all end when it ends.
        with contextlib.suppress(OSError, ValueError):  # it may be ending by itself
            os.kill(inside(), signal.SIGKILL)
        _until_gone(pid)
    cgroups.remove()
    shutil.rmtree(places.run_folder(), ignore_errors=True)
    while _owners:
        os.close(_owners.pop())


def running() -> int:
    """The outer process of the cluster; 0 where none runs."""
    try:
        pid = int((places.run_folder() / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return 0
    is_ending = command == [""] and state != "Z"  # without its arguments, and not yet without its sockets
    return pid if is_ending or str(places.run_folder()) in command else 0


def kept() -> int:
    """The cluster that was started to stay; 0 where none runs, or one whose run was killed and which is ending."""
    return running() if (places.run_folder() / "kept").exists() else 0


def inside() -> int:
    """The cluster's first process, to enter its namespaces by."""
    return int(Path(f"/proc/{running()}/task/{running()}/children").read_text())


def memory() -> dict[str, int]:
    """MiB that each process of the cluster holds (its share, where pages are shared)."""
    own = os.readlink(f"/proc/{inside()}/ns/mnt")
    found: dict[str, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(entry / "ns" / "mnt") == own:
                name = (entry / "comm").read_text().strip()
                share = next(line for line in (entry / "smaps_rollup").read_text().splitlines() if line[:4] == "Pss:")
                found[name] = found.get(name, 0) + int(share.split()[1]) // 1024
    return found


_owners: list[int] = []


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        first, last = min(places.PORTS), max(places.PORTS)
        raise Unfit(f"port {port} is in use: SLIPWAY_CLUSTER_PORT=... moves {first}-{last} elsewhere") from None
    listener.listen(128)
    return listener


def _until_gone(pid: int) -> None:
    for _ in range(2000):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.01)
    raise Unfit(f"process {pid} of the cluster does not end")
