"""The platform docker: wires an image that the host has built to containers there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pulumi
import pulumi_docker as docker
from slipway.infra.config.stack import ServiceConfig, StackConfig
from slipway.infra.names import NAME_TAG, STACK_TAG, stack_label, stack_name
from slipway.infra.platforms.base import Platform, Served
from slipway.infra.platforms.docker.config import DockerConfig
from slipway.infra.platforms.docker.monitoring import PrometheusVolume
from slipway.infra.platforms.docker.service import DockerService, DockerServiceArgs, Version
from slipway.infra.resources.artifact import ModelArtifact
from slipway.infra.resources.image import ServiceImage, ServiceImageArgs, image_key


class DockerPlatform(Platform):
    """Owns a network, per service what DockerService does, and what a Prometheus reads where it is told. Leaves images
    and the host alone."""

    def __init__(self, config: StackConfig) -> None:
        self._config, self._own = config, config.of(DockerConfig)
        provider = docker.Provider("docker", host=self._own.host)
        self._opts = pulumi.ResourceOptions(provider=provider)
        self._inside = pulumi.ResourceOptions(providers=[provider])
        labels = [
            docker.NetworkLabelArgs(label=STACK_TAG, value=stack_label()),
            docker.NetworkLabelArgs(label=NAME_TAG, value="network"),
        ]
        self._network = docker.Network("network", name=stack_name(), driver="bridge", labels=labels, opts=self._opts)
        self._base = docker.RemoteImage("base", name=config.image.base, keep_locally=True, opts=self._opts)
        if self._own.monitoring:
            PrometheusVolume("prometheus", self._base.image_id, self._inside)

    def serve(self, name: str, service: ServiceConfig, artifact: ModelArtifact, access: pulumi.Output[str]) -> Served:
        args = ServiceImageArgs(
            service=name,
            artifact=artifact,
            accelerator=service.accelerator,
            registry=None,
            settings=self._config.image,
            host=self._own.host,
        )
        image = ServiceImage(name, args)
        version = Version(
            image=image_key(artifact.inputs_key, artifact.runtime, service.accelerator, self._config.image),
            workers=service.workers or 1,
            environment=artifact.runtime.environment(service),
            memory=_megabytes(service.resources.memory),
            gpus=self._own.gpus if service.accelerator == "nvidia" else None,
        )
        served = DockerService(
            name,
            DockerServiceArgs(
                runtime=artifact.runtime,
                version=version,
                image=image.ref,
                base=self._base.image_id,
                access=access,
                network=self._network.name,
                address=self._own.address,
                port=service.port,
                start_seconds=artifact.measured.apply(lambda known: (known or {}).get("startSeconds")),
            ),
            self._inside,
        )
        url = f"http://{_host(self._own.host, self._own.address)}:{service.port}"
        return Served(url=served.urn.apply(lambda _: url))


def _host(daemon: str | None, address: str) -> str:
    """Where the services are from here: an address that is the host's alone is told as it is."""
    remote = urlsplit(daemon or "").hostname if (daemon or "").startswith(("ssh://", "tcp://")) else None
    return remote if remote and address in ("0.0.0.0", "::") else address  # noqa: S104


def _megabytes(memory: str | None) -> int | None:
    found = re.fullmatch(r"(\d+)(Mi|Gi)", memory or "")
    return int(found[1]) * {"Mi": 1, "Gi": 1024}[found[2]] if found else None
