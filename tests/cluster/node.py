"""The cluster's first process: process 1 of its own namespaces, which starts the parts and ends with them.

python -m tests.cluster.node, as `cluster.up` starts it: in new pid, mount, network, ipc and uts namespaces. When it
ends, for whatever reason, the kernel ends every process in them and takes their mounts, links and rules away.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster import debian, pki, places
from tests.cluster.build import commands
from tests.cluster.parts import (
    cgroups,
    containerd,
    controlplane,
    etcd,
    forward,
    kubelet,
    kwok,
    metrics,
    network,
    registry,
)

PARTS = (network, cgroups, forward, etcd, containerd, registry, controlplane, kubelet, metrics, kwok)
LAST_LINES = 15


class Broken(Exception):
    """A part did not start, or ended."""


class Node:
    """What the parts share: their folder, and the processes that were started. One file each in `logs`."""

    def __init__(self, run: Path, listeners: list[int]) -> None:
        self.run, self.listeners = run, listeners
        self.packages = debian.root()
        self.settings = {
            **debian.environment(self.packages),
            "PATH": f"{debian.path(self.packages)}:{os.environ['PATH']}",
            "HOME": "/root",
        }
        self.pki = run / "pki"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.base_name = os.environ["SLIPWAY_CLUSTER_BASE"]
        self.begun: list[tuple[str, subprocess.Popen[bytes]]] = []

    def folder(self, name: str) -> Path:
        """A folder of a part's own under `run`."""
        made = self.run / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    def built(self, module: str, name: str) -> Path:
        return commands(module) / name

    def start(self, name: str, *command: str | Path, keep: tuple[int, ...] = (), **settings: str) -> None:
        """Starts a process that has to stay."""
        with (self.folder("logs") / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(each) for each in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**self.settings, **settings}, pass_fds=keep, cwd=self.run,
            )  # fmt: skip

    def begin(self, *command: str | Path) -> None:
        """Starts what has to be over before the cluster is ready, beside the other parts."""
        words = [str(each) for each in command]
        log = (self.folder("logs") / "begun.log").open("ab")
        self.begun.append((" ".join(words), subprocess.Popen(words, env=self.settings, stdout=log, stderr=log)))

    def finish(self) -> None:
        """Waits for all that was begun. Raises Broken where one failed."""
        for words, process in self.begun:
            if process.wait():
                raise Broken(f"{words}: {(self.run / 'logs' / 'begun.log').read_text()[-1000:]}")

    def do(self, *command: str | Path) -> str:
        """What a command prints that is over at once. Raises Broken with what it said."""
        words = [str(each) for each in command]
        done = subprocess.run(words, env=self.settings, capture_output=True, text=True)
        if done.returncode:
            raise Broken(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def kubectl(self, *arguments: str, stdin: Any = None) -> str:
        """What `kubectl` prints, asked as the administrator. `stdin`: an object or a list of objects for `-f -`."""
        command = [str(self.built("kubernetes", "kubectl")), "--kubeconfig", str(self.pki / "admin.yaml"), *arguments]
        objects = {"apiVersion": "v1", "kind": "List", "items": stdin} if isinstance(stdin, list) else stdin
        text = json.dumps(objects) if objects else None
        done = subprocess.run(command, env=self.settings, input=text, capture_output=True, text=True)
        if done.returncode:
            raise Broken(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def until(self, what: str, there: Callable[[], object], seconds: float = 60) -> None:
        """Waits until something is there. Raises Broken where it is not in time, or a part has ended."""
        end = time.monotonic() + seconds
        while True:
            self.check()
            try:
                if there():
                    return
            except (Broken, OSError):
                pass
            if time.monotonic() > end:
                raise Broken(f"{what} is not there after {seconds:.0f} s; logs are in {self.run / 'logs'}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raises Broken with the last lines of a part that has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                log = (self.run / "logs" / f"{name}.log").read_text(errors="replace").splitlines()
                raise Broken("\n  ".join([f"{name} ended with {process.returncode}:", *log[-LAST_LINES:]]))


def main() -> None:
    """`run` folder, file descriptor of the owner or -1, listening sockets."""
    run, owner, listeners = Path(sys.argv[1]), int(sys.argv[2]), [int(each) for each in sys.argv[3:]]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    network.private_mounts()
    pki.make(run / "pki")
    node = Node(run, listeners)
    started = time.monotonic()
    took: dict[str, float] = {}
    try:
        for part in PARTS:
            part.start(node)
            took[part.__name__.rpartition(".")[2]] = round(time.monotonic() - started, 1)
        node.finish()
        containerd.name_base(node)
        took["images"] = round(time.monotonic() - started, 1)
        shutil.copy(run / "pki" / "admin.yaml", places.kubeconfig())
        (run / "took").write_text(json.dumps(took))
        (run / "took").rename(run / "ready")  # whole or not at all: it is waited for
        _watch(node, owner)
    except Broken as error:
        (run / "broken").write_text(str(error))
        sys.exit(1)


def _watch(node: Node, owner: int) -> None:
    """Until a part ends, or the owner does."""
    ours = {process.pid for process in node.processes.values()}
    while True:
        if select.select([owner] if owner >= 0 else [], [], [], 0.5)[0]:
            return  # the pipe is closed: whoever this cluster was for is gone
        node.check()
        # As process 1 it inherits what containers leave behind.
        for entry in Path("/proc").glob("[0-9]*"):
            pid = int(entry.name)
            if pid not in ours and _is_dead_child(entry):
                os.waitpid(pid, os.WNOHANG)


def _is_dead_child(entry: Path) -> bool:
    try:
        state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return False
    return state == "Z" and parent == "1"


if __name__ == "__main__":
    main()
