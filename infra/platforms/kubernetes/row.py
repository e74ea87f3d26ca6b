"""Serving on a Kubernetes cluster that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.infra.platforms.answers import Answers, Swept, Tagged
from slipway.infra.platforms.kubernetes.config import KubernetesConfig
from slipway.infra.platforms.kubernetes.rules import problems
from slipway.infra.platforms.row import Anchor, Kubectl, PlatformRow
from slipway.infra.platforms.unsupported import CLUSTER
from slipway.infra.workload.names import namespace_of

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.platforms.base import Platform


def _open(config: StackConfig) -> Platform:
    from slipway.infra.platforms.kubernetes.platform import KubernetesPlatform

    return KubernetesPlatform(config)


def _sweep(stack: str, identity: str, config: StackConfig, _tagged: Tagged) -> Swept:
    from slipway.infra.platforms.kubernetes.sweep import sweep

    return sweep(stack, identity, config)


def _anchor(config: StackConfig, project: str, stack: str) -> Anchor | None:
    own = config.of(KubernetesConfig)
    if not own.createNamespace:  # it is another's in any case
        return None
    settings = {"kubeconfig": own.file, "context": own.context}
    return Anchor(
        type="kubernetes:core/v1:Namespace",
        id=namespace_of(project, stack, own.namespace),
        package="kubernetes",
        settings={key: value for key, value in settings.items() if value},
        labels='kubernetes.core.v1.Namespace.get("anchor", anchor).metadata.apply(lambda about: about["labels"])',
    )


def _preflight(config: StackConfig, stack: str) -> Answers:
    from slipway.infra.platforms.kubernetes.preflight import preflight

    return preflight(config, stack)


def _registry(config: StackConfig, _answers: Answers) -> tuple[str, str] | None:
    host = (config.of(KubernetesConfig).registry or "").partition("/")[0]
    return (host, f"docker login {host}") if host else None


def _flags(config: StackConfig) -> list[str]:
    own = config.of(KubernetesConfig)
    named = ["--kubeconfig", own.file] if own.file else []
    return [*named, *(["--context", own.context] if own.context else [])]


KUBERNETES = PlatformRow(
    name="kubernetes",
    settings=KubernetesConfig,
    description="any cluster: {context: ..., registry: ..., gateway: {...}}",
    unsupported=CLUSTER,
    problems=problems,
    open=_open,
    sweep=_sweep,
    preflight=_preflight,
    registry=_registry,
    anchor=_anchor,
    kubectl=Kubectl(
        namespace=lambda config, project, stack: namespace_of(project, stack, config.of(KubernetesConfig).namespace),
        flags=_flags,
    ),
)
