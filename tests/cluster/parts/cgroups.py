"""The control groups that pods run in: the one thing of the cluster that outlives its processes.

A machine may show no hierarchy of them. Then the node mounts those of the first version in its own mount namespace;
what it leaves in them is seen and removed by a process that does the same, and a Docker daemon is run by one:

python -m tests.cluster.parts.cgroups shown | remove | run COMMAND
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import places

if TYPE_CHECKING:
    from tests.cluster.node import Node

ROOT = Path("/sys/fs/cgroup")
OFFERED = Path("/proc/cgroups")
NEEDED = {"cpu", "cpuacct", "cpuset", "devices", "memory"}  # runc and the kubelet insist on these
PATIENCE = 200


def unfit() -> str:
    """Why pods would have no groups here, and what would help; empty where they have."""
    if _hierarchies():
        return ""
    if missing := NEEDED.difference(*(each.split(",") for each in _offered())):
        lacking = ", ".join(sorted(missing))
        return f"{ROOT} is empty and the kernel has no cgroups to mount there for {lacking}: use a kernel that has them"
    tried = _with_them_mounted("shown")
    return f"cgroups can't be mounted: {tried.stderr.strip()}" if tried.returncode else ""


def start(node: Node) -> None:
    mount()
    for hierarchy in _hierarchies():
        group = hierarchy / places.CGROUP
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group of the first version, which then takes none
            if (group / name).exists() and not (group / name).read_text().strip():
                (group / name).write_text((hierarchy / name).read_text())


def mount() -> None:
    """Every hierarchy that the kernel has, unless some are there. For a process in a mount namespace of its own."""
    if _hierarchies():
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", ROOT], check=True)
    for controllers in _offered():
        (ROOT / controllers).mkdir()
        subprocess.run(["mount", "-t", "cgroup", "-o", controllers, "cgroup", ROOT / controllers], check=True)


def shown() -> list[str]:
    """Our groups in every hierarchy, and pods' wherever they are."""
    if _are_hidden():
        done = _with_them_mounted("shown")
        done.check_returncode()
        return done.stdout.split()
    return [str(each) for each in (*_ours(), *ROOT.rglob("kubepods*"))]


def remove() -> None:
    """After the last process; the kernel lets go of a group a moment later."""
    if _are_hidden():
        _with_them_mounted("remove").check_returncode()
        return
    for group in sorted(_ours(), key=lambda each: len(each.parts), reverse=True):
        for _ in range(PATIENCE):
            with contextlib.suppress(OSError):
                group.rmdir()
            if not group.exists():
                break
            time.sleep(0.02)


def _ours() -> list[Path]:
    tops = [each / places.CGROUP for each in _hierarchies() if (each / places.CGROUP).exists()]
    return [each for top in tops for each in (top, *top.rglob("*/"))]


def _hierarchies() -> list[Path]:
    """One of the second version, or one for each controller of the first."""
    return [ROOT] if (ROOT / "cgroup.procs").exists() else sorted(each.parent for each in ROOT.glob("*/cgroup.procs"))


def _offered() -> list[str]:
    """The kernel's controllers, as options for `mount`: those that share a hierarchy already have to go on doing so."""
    shared: dict[str, list[str]] = {}
    for line in OFFERED.read_text().splitlines()[1:] if OFFERED.exists() else ():
        name, hierarchy, _, is_enabled = line.split()
        if is_enabled == "1":
            shared.setdefault(name if hierarchy == "0" else hierarchy, []).append(name)
    return [",".join(names) for names in shared.values()]


def _are_hidden() -> bool:
    return not _hierarchies() and bool(_offered())


def _with_them_mounted(command: str) -> subprocess.CompletedProcess[str]:
    """What `shown` or `remove` does, in a process for which the hierarchies are mounted. With it they go again."""
    project = Path(__file__).parents[3]  # without `infra.config`, which takes a second to load
    words = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.cluster.parts.cgroups"]
    return subprocess.run([*words, command], cwd=project, capture_output=True, text=True)


def _main() -> None:
    try:
        mount()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # `mount` has said why
    if sys.argv[1] == "run":
        os.execvp(sys.argv[2], sys.argv[2:])
    elif sys.argv[1] == "remove":
        remove()
        time.sleep(0.2)  # a hierarchy that is unmounted while the kernel still lets go of a group stays in the kernel
    else:
        print(*shown(), sep="\n")


if __name__ == "__main__":
    _main()
