"""Looks for what a stack may have left on its Docker host, by its label, and removes it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

from slipway.infra.config.base import PROJECT
from slipway.infra.config.stack import StackConfig
from slipway.infra.names import STACK_TAG
from slipway.infra.platforms.answers import Swept
from slipway.infra.platforms.docker.config import DockerConfig

SECONDS = 60
# What lists a kind of object, and what removes one: containers before the volumes and the network that they use.
KINDS = {
    "container": (("ps", "--all"), ("rm", "--force")),
    "volume": (("volume", "ls"), ("volume", "rm")),
    "network": (("network", "ls"), ("network", "rm")),
}


class _Refused(Exception):
    """Docker did not do it; the message is what it says."""


def sweep(stack: str, config: StackConfig) -> Swept:
    """Containers, volumes and networks. Images stay: other stacks may use them, and `docker image prune` is the host's.
    What other stacks have is left alone."""
    host, label = config.of(DockerConfig).host, f"{STACK_TAG}={PROJECT}/{stack}"
    where = f"Docker at {host}" if host else "Docker"
    looked: list[str] = []
    left: list[str] = []
    for kind, (listing, removing) in KINDS.items():
        try:
            found = list(_labelled(host, listing, label))
        except _Refused as error:
            return looked, [f"{where} can't be looked at: {error}"]
        looked.append(f"{kind}s of {where}, label {label}: {f'{len(found)} found' if found else 'none found'}")
        for name in found:
            try:
                _docker(host, *removing, name)
                looked.append(f"removed {kind} {name}")
            except _Refused as error:
                left.append(f"{kind} {name}: {error}")
    return looked, left


def _labelled(host: str | None, listing: tuple[str, ...], label: str) -> Iterator[str]:
    for line in _docker(host, *listing, "--filter", f"label={label}", "--format", "{{json .}}").splitlines():
        each = json.loads(line)
        yield each.get("Names") or each["Name"]


def _docker(host: str | None, *arguments: str) -> str:
    command = ["docker", *(["--host", host] if host else []), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise _Refused("docker is not on PATH: install Docker, or its command line alone") from None
    except subprocess.TimeoutExpired:
        raise _Refused(f"no answer in {SECONDS} s") from None
    if done.returncode:
        raise _Refused((done.stderr.strip().splitlines() or ["docker failed without a word"])[-1])
    return done.stdout
