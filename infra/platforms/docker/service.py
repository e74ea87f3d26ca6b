"""A service on a Docker host: containers of one version, and what leads to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
from slipway.infra.names import KEEPS_ITS_NAME, NAME_TAG, STACK_TAG, own_name, stack_label, stack_name
from slipway.infra.runtime import HTTP_PORT, METRICS_PORT, Runtime

TCP_PROXY = Path(__file__).with_name("tcp_proxy.py")
# Exits with 0 once the port is listened on. Asks the kernel: a connection would be led to a service.
LISTENS = f"import sys; sys.exit(' 00000000:{HTTP_PORT:04X} 00000000:0000 0A ' not in open('/proc/net/tcp').read())"
USER = "10001"
NAME_CHARACTERS = 63  # as a DNS label: containers are found by name
ACCESS, LIVE = "/access", "/live"
# Longer than the service takes to drain and to end (service/settings.py).
GRACE_SECONDS = 40
START_SECONDS, START_MARGIN = 60, 10


@dataclass(frozen=True, kw_only=True)
class Version:
    """What makes a version another one; known before anything is built, as it names containers.

    `image`: a key of all that goes into the image. `memory`: MB.
    """

    image: str
    workers: int
    environment: Mapping[str, str]
    memory: int | None
    gpus: str | None

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True, kw_only=True)
class DockerServiceArgs:
    """`runtime`: the kind of service. `image`: its id on the host. `base`: the id there of an image with Python, for
    what stands before the versions. `access`: the access file's text. `start_seconds`: what a start was measured to
    take."""

    runtime: Runtime
    version: Version
    image: pulumi.Input[str]
    base: pulumi.Input[str]
    access: pulumi.Input[str]
    network: pulumi.Input[str]
    address: str
    port: int
    start_seconds: pulumi.Input[float | None]


class DockerService(pulumi.ComponentResource):
    """Owns the containers and volumes of one service.

    A new version is a container beside the old one under a name of its own. Once it is healthy, new connections are led
    to it, and the old one goes last of all; where it does not get healthy, nothing has changed for who asks. What is
    uploaded goes through containers that never start, into volumes: an access file so changes without a restart.
    """

    def __init__(self, name: str, args: DockerServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:docker:DockerService", name, None, opts)
        self._name, self._args = name, args
        access, live = self._volume("access"), self._volume("live")
        rules = self._upload("access", access, f"{ACCESS}/access.json", args.access, [access])
        release = [self._container(number, access, rules) for number in range(args.version.workers)]
        names = pulumi.Output.all(*(each.name for each in release)).apply(lambda known: " ".join(map(str, known)))
        target = self._upload("live", live, f"{LIVE}/target", names, [live, *release])
        docker.Container(
            f"{name}-front",
            name=self._physical("front"),
            image=args.base,
            command=["python3", "-u", "-c", TCP_PROXY.read_text()],
            ports=[{"internal": HTTP_PORT, "external": args.port, "ip": args.address}],
            healthcheck={"tests": ["CMD", "python3", "-S", "-E", "-c", LISTENS], "interval": "2s", "timeout": "5s"},
            wait=True,
            wait_timeout=START_SECONDS,
            mounts=[{"type": "volume", "source": live.name, "target": LIVE, "read_only": True}],
            **self._common("front"),
            opts=self._kept(depends_on=[target]),
        )
        self.register_outputs({})

    def _container(self, number: int, access: docker.Volume, rules: docker.Container) -> docker.Container:
        args, version = self._args, self._args.version
        settings = {
            "SLIPWAY_NAME": self._name,
            "SLIPWAY_HOST": "0.0.0.0",  # noqa: S104 - the container's own address
            "SLIPWAY_PORT": str(HTTP_PORT),
            "SLIPWAY_METRICS_PORT": str(METRICS_PORT),
            "SLIPWAY_ACCESS": f"{ACCESS}/access.json",
            **version.environment,
        }
        start = pulumi.Output.from_input(args.start_seconds).apply(start_budget)
        role = f"{version.key}-{number}"
        return docker.Container(
            f"{self._name}-{role}",
            name=self._physical(role),
            image=args.image,
            envs=[f"{key}={value}" for key, value in sorted(settings.items())],
            mounts=[{"type": "volume", "source": access.name, "target": ACCESS, "read_only": True}],
            tmpfs={"/tmp": "rw,noexec,nosuid,size=512m"},  # noqa: S108
            healthcheck={
                "tests": ["CMD", "python3", "-S", "-E", args.runtime.health],
                "interval": "2s",
                "timeout": "5s",
                "retries": 5,
                "start_period": start.apply(lambda seconds: f"{seconds}s"),
            },
            wait=True,
            wait_timeout=start,
            memory=version.memory,
            gpus=version.gpus,
            **self._common(role),
            # The same version from another image, as after a loss of the store, has the same name.
            opts=self._kept(depends_on=[rules]),
        )

    def _upload(
        self, role: str, volume: docker.Volume, file: str, content: pulumi.Input[str], after: list[pulumi.Resource]
    ) -> docker.Container:
        upload = docker.ContainerUploadArgs(file=file, content=content, owner=USER, group=USER, permissions="0400")
        return docker.Container(
            f"{self._name}-{role}",
            name=self._physical(role),
            image=self._args.base,
            command=["true"],
            start=False,
            must_run=False,
            mounts=[{"type": "volume", "source": volume.name, "target": str(Path(file).parent)}],
            uploads=[upload],
            network_mode="none",
            labels=self._labels(role),
            opts=self._kept(depends_on=after, additional_secret_outputs=["uploads"]),
        )

    def _volume(self, role: str) -> docker.Volume:
        return docker.Volume(
            f"{self._name}-{role}",
            name=self._physical(role),
            labels=self._labels(role),
            opts=self._kept(),
        )

    def _common(self, role: str) -> dict[str, Any]:
        return {
            "restart": "unless-stopped",
            "read_only": True,
            "user": f"{USER}:{USER}",
            "capabilities": {"drops": ["ALL"]},
            "security_opts": ["no-new-privileges"],
            "networks_advanced": [{"name": self._args.network}],
            "destroy_grace_seconds": GRACE_SECONDS,
            "labels": self._labels(role),
        }

    def _physical(self, role: str) -> str:
        return own_name(NAME_CHARACTERS, stack_name(), self._name, role)

    def _kept(self, **more: Any) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, delete_before_replace=True, ignore_changes=KEEPS_ITS_NAME, **more)

    def _labels(self, role: str) -> list[Any]:
        return [{"label": STACK_TAG, "value": stack_label()}, {"label": NAME_TAG, "value": f"{self._name}-{role}"}]


def start_budget(seconds: float | None) -> int:
    """Seconds within which a container has to be healthy, by what its start was measured to take elsewhere."""
    return max(START_SECONDS, round((seconds or 0) * START_MARGIN))
