"""A Docker daemon and a registry of the tests, from Debian's packages; the machine's own Docker is not touched."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import yaml
from slipway.infra.home import ROOT

from tests.cluster import debian, images
from tests.cluster.cache import Unfit, folder

SECONDS = 30
USER, PASSWORD = "team", "once"
HASHED = "$2b$04$eZ3ue9Wkp1/C/5Gn1GJscelDykSmdJ5QrUkNP1Kd2SVb8rSkrt74S"  # bcrypt, of PASSWORD
BRIDGE, ADDRESS = "slipway-docker", "10.237.0.1"


@dataclass
class Dockerd:
    """`path`: where Debian's docker command is. `environment`: DOCKER_HOST, and PATH with it first.
    `base`: the base image by digest."""

    registry: str
    path: str
    environment: dict[str, str] = field(default_factory=dict)
    base: str = ""

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        """What `docker ARGUMENTS` says."""
        done = subprocess.run(["docker", *arguments], env=self.environment, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return (done.stdout + (done.stderr if fails else "")).strip()

    def forget(self) -> None:
        """As a machine that has never built anything."""
        self("image", "prune", "--all", "--force")
        self("builder", "prune", "--all", "--force")


@contextmanager
def running(place: Path) -> Iterator[Dockerd]:
    """Both, until the context ends; then nothing of them is left. Raises Unfit where the machine can't."""
    if os.geteuid():
        raise Unfit("Docker needs root")
    packages, docker = debian.root(), debian.docker()
    (place / "data").mkdir()
    daemon = Dockerd(f"127.0.0.1:{free_port()}", f"{debian.path(docker)}:{debian.path(packages)}")
    daemon.environment = {
        **os.environ,
        "PATH": f"{daemon.path}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{place / 'docker.sock'}",
        "DOCKER_CONFIG": str(place / "config"),
    }
    libraries = debian.environment(packages)
    libraries["LD_LIBRARY_PATH"] += f":{debian.environment(docker)['LD_LIBRARY_PATH']}"
    # Its containers and mounts end with it, whatever happens; the firewall and all sysctls stay as they are. So do its
    # images, which are in memory: a disk takes up to a minute to forget their files.
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command += ["sh", "-c", 'mount -t tmpfs -o mode=711 docker "$0" && exec "$@"', str(place / "data")]
    command += [sys.executable, "-m", "tests.cluster.parts.cgroups", "run", "dockerd"]
    libraries["PYTHONPATH"] = str(ROOT)
    command += ["--data-root", str(place / "data"), "--exec-root", str(place / "exec"), "--bridge", BRIDGE]
    command += ["--host", daemon.environment["DOCKER_HOST"], "--pidfile", str(place / "pid")]
    command += ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--shutdown-timeout", "5"]
    with (
        _bridge(),
        _registry(place, daemon, daemon.registry),
        _process(place, command, {**daemon.environment, **libraries}),
    ):
        _until(f"dockerd (its log is in {place})", lambda: bool(daemon("version")))
        daemon("load", "--input", str(images.base()))
        daemon("tag", images.BASE, f"{daemon.registry}/base:1")
        daemon("push", f"{daemon.registry}/base:1")
        repo = daemon("image", "inspect", "--format", "{{index .RepoDigests 0}}", f"{daemon.registry}/base:1")
        daemon.base = repo
        try:
            yield daemon
        finally:
            if left := daemon("ps", "--all", "--quiet").split():
                daemon("rm", "--force", *left)
            daemon("network", "prune", "--force")
    shutil.rmtree(place, ignore_errors=True)


@contextmanager
def closed_registry(place: Path, docker: Dockerd) -> Iterator[str]:
    """The address of a registry that lets nobody in but USER with PASSWORD."""
    (place / "users").write_text(f"{USER}:{HASHED}\n")
    address = f"127.0.0.1:{free_port()}"
    with _registry(place, docker, address, auth={"htpasswd": {"realm": "team", "path": str(place / "users")}}):
        yield address


@contextmanager
def _registry(place: Path, docker: Dockerd, address: str, **more: Any) -> Iterator[None]:
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(place / "images")}, "delete": {"enabled": True}},
        "http": {"addr": address},
        **more,
    }
    (place / "registry.yaml").write_text(yaml.safe_dump(settings))
    with _process(place, ["docker-registry", "serve", str(place / "registry.yaml")], docker.environment):
        _until("the registry", lambda: _answers(f"http://{address}/v2/"))
        yield


def _answers(url: str) -> bool:
    try:
        return bool(urlopen(url, timeout=1).status)
    except HTTPError as error:
        return error.code == 401


@contextmanager
def _bridge() -> Iterator[None]:
    """What builds are on: they reach this machine at ADDRESS, and nothing else. A second run waits for the first."""
    lock = (folder() / "docker.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True)  # of a run that was killed
    subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", f"{ADDRESS}/24", "dev", BRIDGE], check=True)
        subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)
        yield
    finally:
        subprocess.run(["ip", "link", "delete", BRIDGE], check=True)
        lock.close()


@contextmanager
def _process(place: Path, command: list[str], environment: dict[str, str]) -> Iterator[None]:
    with (place / f"{Path(command[-1]).name}.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            inner = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            subprocess.run(["kill", *(inner or [str(process.pid)])])
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until(what: str, there: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            if there():
                return
        except (OSError, AssertionError) as error:
            if time.monotonic() > end:
                raise Unfit(f"{what} does not start: {error}") from None
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
