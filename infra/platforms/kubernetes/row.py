"""Serving on a Kubernetes cluster that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slipway.infra.platforms.answers import Answers, Swept, Tagged
from slipway.infra.platforms.kubernetes.config import KubernetesConfig
from slipway.infra.platforms.kubernetes.rules import problems
from slipway.infra.platforms.row import Kubectl, PlatformRow
from slipway.infra.platforms.unsupported import CLUSTER

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.platforms.base import Platform


def _open(config: StackConfig) -> Platform:
    from slipway.infra.platforms.kubernetes.platform import KubernetesPlatform

    return KubernetesPlatform(config)


def _sweep(stack: str, config: StackConfig, _tagged: Tagged) -> Swept:
    from slipway.infra.platforms.kubernetes.sweep import sweep

    return sweep(stack, config)


def _preflight(config: StackConfig, _stack: str) -> Answers:
    from slipway.infra.platforms.connectivity import address

    return Answers(said={"domain": [address(each.host) for each in config.services.values() if each.host]})


def _registry(config: StackConfig, _answers: Answers) -> tuple[str, str] | None:
    host = (config.of(KubernetesConfig).registry or "").partition("/")[0]
    return (host, f"docker login {host}") if host else None


def _flags(config: StackConfig) -> list[str]:
    own = config.of(KubernetesConfig)
    named = ["--kubeconfig", str(Path(own.kubeconfig).expanduser())] if own.kubeconfig else []
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
    kubectl=Kubectl(namespace=lambda config, stack: config.of(KubernetesConfig).namespace_of(stack), flags=_flags),
)
