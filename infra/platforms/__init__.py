"""The one place that chooses a platform, and imports only the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.config import StackConfig
    from infra.platforms.base import Platform


def platform_for(config: StackConfig) -> Platform:
    """The platform that the stack names."""
    match config.platform:
        case "local":
            from infra.platforms.local.platform import LocalPlatform

            return LocalPlatform()
        case "docker":
            from infra.platforms.docker.platform import DockerPlatform

            return DockerPlatform(config)
        case "kubernetes":
            from infra.platforms.kubernetes.platform import KubernetesPlatform

            return KubernetesPlatform(config)
        case "aws":
            from infra.platforms.aws.platform import AwsPlatform

            return AwsPlatform(config)
        case "gcp":
            from infra.platforms.gcp.platform import GcpPlatform

            return GcpPlatform(config)
