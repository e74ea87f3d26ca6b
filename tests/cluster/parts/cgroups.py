"""The control groups that pods run in: the one thing of the cluster that outlives its processes."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import places

if TYPE_CHECKING:
    from tests.cluster.node import Node

ROOT = Path("/sys/fs/cgroup")
PATIENCE = 200


def start(node: Node) -> None:
    for hierarchy in _hierarchies():
        group = hierarchy / places.CGROUP
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group of the first version, which then takes none
            if (group / name).exists() and not (group / name).read_text().strip():
                (group / name).write_text((hierarchy / name).read_text())


def there() -> list[Path]:
    """Our groups, in every hierarchy."""
    tops = [each / places.CGROUP for each in _hierarchies() if (each / places.CGROUP).exists()]
    return [each for top in tops for each in (top, *top.rglob("*/"))]


def remove() -> None:
    """After the last process; the kernel lets go of a group a moment later."""
    for group in sorted(there(), key=lambda each: len(each.parts), reverse=True):
        for _ in range(PATIENCE):
            with contextlib.suppress(OSError):
                group.rmdir()
            if not group.exists():
                break
            time.sleep(0.02)


def _hierarchies() -> list[Path]:
    """One of the second version, or one for each controller of the first."""
    return [ROOT] if (ROOT / "cgroup.procs").exists() else sorted(each.parent for each in ROOT.glob("*/cgroup.procs"))
