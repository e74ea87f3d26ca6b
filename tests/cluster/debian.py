"""What the cluster takes from Debian: the container runtime and its kin, unpacked beside the system, not installed."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from tests.cluster.cache import Unfit, key_of, made

SUITE = "bookworm"
PACKAGES = (
    "containerd", "runc", "libseccomp2", "containernetworking-plugins", "docker-registry", "debootstrap",
    "debian-archive-keyring", "iptables", "conntrack", "libip4tc2", "libip6tc2", "libxtables12", "libmnl0",
    "libnetfilter-conntrack3", "libnfnetlink0", "libnftnl11",
)  # fmt: skip
DOCKER = ("docker.io", "tini", "libdevmapper1.02.1", "libsystemd0")  # beside PACKAGES
WATCHING = ("prometheus", "prometheus-alertmanager")
FIREWALL = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")


def root() -> Path:
    """The folder that holds the packages' files as `/` would."""
    key = key_of(SUITE, *PACKAGES)
    return made("debian", key, _unpack, f"fetching {len(PACKAGES)} Debian packages")


def docker() -> Path:
    """As `root`, for what Docker needs besides."""
    return made("docker", key_of(SUITE, *DOCKER), lambda into: _fetch(into, DOCKER), "fetching Docker's packages")


def watching() -> Path:
    """As `root`, for prometheus, promtool and prometheus-alertmanager."""
    return made("watching", key_of(SUITE, *WATCHING), lambda into: _fetch(into, WATCHING), "fetching Prometheus")


def environment(debian: Path) -> dict[str, str]:
    """What the unpacked programs need to find each other."""
    libraries = debian / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    return {"LD_LIBRARY_PATH": str(libraries), "XTABLES_LIBDIR": str(libraries / "xtables")}


def path(debian: Path) -> str:
    """Their folders, for PATH."""
    return ":".join(str(debian / "usr" / each) for each in ("sbin", "bin"))


def _unpack(into: Path) -> None:
    _fetch(into, PACKAGES)
    for name in FIREWALL:
        (into / "usr" / "sbin" / name).symlink_to("xtables-nft-multi")


def _fetch(into: Path, packages: tuple[str, ...]) -> None:
    done = _download(into, [], packages)
    if done.returncode:  # the system's own package lists are missing or too old
        lists = _own_lists(into)
        subprocess.run(["apt-get", *lists, "-q", "update"], capture_output=True)
        done = _download(into, lists, packages)
    if done.returncode:
        raise Unfit(f"apt-get can't fetch {', '.join(packages)}:\n{done.stderr.strip()[-500:]}")
    for package in into.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, into], check=True)
        package.unlink()


def _download(into: Path, options: list[str], packages: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = ["apt-get", *options, "-q", "download", *packages]
    return subprocess.run(command, cwd=into, capture_output=True, text=True)


def _own_lists(into: Path) -> list[str]:
    """apt's package lists in a folder of our own, so that the system's stay as they are."""
    for name in ("lists/partial", "cache/archives/partial"):
        (into / ".apt" / name).mkdir(parents=True)
    return ["-o", f"Dir::State::lists={into / '.apt' / 'lists'}", "-o", f"Dir::Cache={into / '.apt' / 'cache'}"]
