"""Looks for what a stack may have left on its Docker host, by its label, and removes it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from slipway.infra.config.base import PROJECT
from slipway.infra.config.stack import StackConfig
from slipway.infra.names import STACK_TAG
from slipway.infra.platforms.answers import Swept
from slipway.infra.platforms.docker.command import DockerRefused, docker
from slipway.infra.platforms.docker.config import DockerConfig

# What lists a kind of object, and what removes one: containers before the volumes and the network that they use.
KINDS = {
    "container": (("ps", "--all"), ("rm", "--force")),
    "volume": (("volume", "ls"), ("volume", "rm")),
    "network": (("network", "ls"), ("network", "rm")),
}


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
        except DockerRefused as error:
            return looked, [f"{where} can't be looked at: {error}"]
        looked.append(f"{kind}s of {where}, label {label}: {f'{len(found)} found' if found else 'none found'}")
        for name in found:
            try:
                docker(host, *removing, name)
                looked.append(f"removed {kind} {name}")
            except DockerRefused as error:
                left.append(f"{kind} {name}: {error}")
    return looked, left


def _labelled(host: str | None, listing: tuple[str, ...], label: str) -> Iterator[str]:
    for line in docker(host, *listing, "--filter", f"label={label}", "--format", "{{json .}}").splitlines():
        each = json.loads(line)
        yield each.get("Names") or each["Name"]
