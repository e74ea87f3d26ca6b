"""The local platform: wires an artifact to a supervised service."""

from __future__ import annotations

import pulumi

from infra.artifact import ModelArtifact
from infra.config import ServiceConfig
from infra.environment import service_environment
from infra.platforms.base import Platform, Served
from infra.platforms.local.service import LocalService, LocalServiceArgs


class LocalPlatform(Platform):
    """Serves on this machine. Declares one LocalService per service and nothing else."""

    def serve(self, name: str, service: ServiceConfig, artifact: ModelArtifact, access: pulumi.Output[str]) -> Served:
        args = LocalServiceArgs(
            artifact_uri=artifact.artifactUri,
            access=access,
            port=service.port,
            metrics_port=service.metricsPort,
            workers=service.workers,
            environment=service_environment(service),
        )
        return Served(url=LocalService(name, args).url)
