"""What a machine shows of a cluster: taken before `up` and after `down`, both have to be the same."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster import debian, places
from tests.cluster.parts import cgroups

# These change by themselves.
RESTLESS = re.compile(
    r"fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|epoll|quota)|kernel/(random|pty/nr|ns_last_pid|"
    r"perf_event_max_sample_rate|perf_cpu)|netfilter/nf_conntrack_count|net/(ipv4|ipv6)/route/|vm/(stat_refresh|compact)|"
    r"kernel/sched|dev/cdrom|debug|kernel/(keys/|threads)|(ipv4|ipv6)/(neigh|conf)/(veth|br-|docker)"
)
COUNTERS = re.compile(r"\[\d+:\d+\]")
FOLDERS = (
    "/etc/cni", "/opt/cni", "/run/containerd", "/run/netns", "/run/runc", "/var/lib/cni", "/var/lib/containerd",
    "/var/lib/kubelet", "/var/log/containers", "/var/log/pods", "/run/flannel", "/run/xtables.lock",
)  # fmt: skip


def take() -> dict[str, list[str]]:
    """{what was looked at: what is there}, each list sorted."""
    return {name: sorted(set(look())) for name, look in LOOKS.items()}


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """What came (+) and what went (-); empty where nothing did."""
    found = {
        name: [f"+ {each}" for each in after[name] if each not in before[name]]
        + [f"- {each}" for each in before[name] if each not in after[name]]
        for name in before
    }
    return {name: lines for name, lines in found.items() if lines}


def _processes() -> Iterator[str]:
    """Those that run from the cluster's folder or below its cgroup, wherever their namespaces are."""
    own = str(places.run_folder().parent)
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            groups = (entry / "cgroup").read_text()
            if os.readlink(entry / "exe").startswith(own) or f"/{places.CGROUP}" in groups or "kubepods" in groups:
                yield f"{entry.name} {(entry / 'comm').read_text().strip()}"


def _namespaces() -> Iterator[str]:
    """Network namespaces with a Kubernetes node in them: those whose processes are under our own first process."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if "tests.cluster.node" in (entry / "cmdline").read_text():
                yield os.readlink(entry / "ns" / "net")


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        yield f"{fields[4]} {' '.join(fields[fields.index('-') + 1 :][:2])}"


def _links() -> Iterator[str]:
    yield from (each.name for each in Path("/sys/class/net").iterdir())


def _addresses() -> Iterator[str]:
    for command in ("ip -o address", "ip rule", "ip route show table all", "ip -6 route show table all"):
        done = subprocess.run(command.split(), capture_output=True, text=True)
        yield from (re.sub(r"(valid_lft|preferred_lft|expires) \S+", "", line) for line in done.stdout.splitlines())


def _firewall() -> Iterator[str]:
    packages = debian.root()
    settings = {**os.environ, **debian.environment(packages)}
    for kind in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"):
        binary = packages / "usr" / "sbin" / f"{kind}-save"
        done = subprocess.run([binary], env=settings, capture_output=True, text=True)
        rules = (COUNTERS.sub("", line) for line in done.stdout.splitlines() if not line.startswith("#"))
        yield from (f"{kind} {line}" for line in rules)


def _settings() -> Iterator[str]:
    root = Path("/proc/sys")
    for file in root.rglob("*"):
        name = str(file.relative_to(root))
        if not RESTLESS.search(name):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                yield f"{name} = {file.read_text().strip()}"


def _cgroups() -> Iterator[str]:
    yield from cgroups.shown()


def _listeners() -> Iterator[str]:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        port = int(fields[1].rpartition(":")[2], 16)
        if fields[3] == "0A" and port in places.PORTS:
            yield f"127.0.0.1:{port}"


def _folders() -> Iterator[str]:
    for folder in map(Path, FOLDERS):
        if folder.exists():
            yield f"{folder} {json.dumps([each.name for each in folder.iterdir()] if folder.is_dir() else [])}"


def _modules() -> Iterator[str]:
    file = Path("/proc/modules")
    yield from (line.split()[0] for line in file.read_text().splitlines()) if file.exists() else ()


LOOKS: dict[str, Callable[[], Iterator[str]]] = {
    "processes": _processes,
    "namespaces": _namespaces,
    "mounts": _mounts,
    "links": _links,
    "addresses and routes": _addresses,
    "firewall rules": _firewall,
    "sysctls": _settings,
    "cgroups": _cgroups,
    "listeners": _listeners,
    "folders": _folders,
    "kernel modules": _modules,
}
