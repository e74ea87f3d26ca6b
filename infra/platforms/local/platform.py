"""The local platform: wires an artifact to a supervised service."""

from __future__ import annotations

import pulumi
from slipway.infra.config.stack import ServiceConfig, StackConfig
from slipway.infra.platforms.base import Platform, Served
from slipway.infra.platforms.local.config import LocalConfig
from slipway.infra.platforms.local.monitoring import PrometheusFiles
from slipway.infra.platforms.local.service import LocalService, LocalServiceArgs
from slipway.infra.resources.artifact import ModelArtifact
from slipway.infra.workload.names import namespace_of


class LocalPlatform(Platform):
    """Serves on this machine. Declares one LocalService per service, and what a Prometheus reads where it is told."""

    def __init__(self, config: StackConfig) -> None:
        if config.of(LocalConfig).monitoring:
            targets = [f"127.0.0.1:{service.metricsPort}" for service in config.services.values()]
            PrometheusFiles("prometheus", namespace_of(pulumi.get_project(), pulumi.get_stack()), targets)

    def serve(self, name: str, service: ServiceConfig, artifact: ModelArtifact, access: pulumi.Output[str]) -> Served:
        args = LocalServiceArgs(
            artifact_uri=artifact.artifactUri,
            runtime=artifact.runtime,
            access=access,
            port=service.port,
            metrics_port=service.metricsPort,
            workers=service.workers,
            environment={**artifact.runtime.environment(service), **_of_the_log(service)},
        )
        return Served(url=LocalService(name, args).url)


def _of_the_log(service: ServiceConfig) -> dict[str, str]:
    """What the supervisor, which writes it, is told of it."""
    return {"SLIPWAY_LOG_DAYS": str(service.retentionDays)} if service.retentionDays else {}
