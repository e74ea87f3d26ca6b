"""Which Kubernetes a stack has: the configured one, or the newest at its first update; never less than what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pulumi
import pulumi_aws as aws
from slipway.infra.platforms.aws.support import rank
from slipway.infra.resources.choices import Choices


def choose_version(wanted: str | None, cluster: str, choices: Choices, opts: pulumi.InvokeOptions) -> str:
    """`1.36`. EKS upgrades a cluster by itself when support ends, and takes no downgrade: what runs counts then."""
    running = _running(cluster, opts)
    chosen = wanted or choices.once("version", {"cluster": cluster}, lambda: running or _newest(opts))
    if running and rank(running) > rank(chosen):
        pulumi.log.warn(f"{cluster} runs Kubernetes {running}, not {chosen}: set aws.cluster.version to {running}")
        return running
    return str(chosen)


def choose_addons(
    names: Sequence[str], version: str, choices: Choices, opts: pulumi.InvokeOptions
) -> Mapping[str, str]:
    """The add-ons' versions that are EKS's default for this Kubernetes; chosen anew only with another one."""

    def default(name: str) -> str:
        return aws.eks.get_addon_version(addon_name=name, kubernetes_version=version, opts=opts).version

    return {name: choices.once(f"add-on {name}", {"version": version}, partial(default, name)) for name in names}


def _running(cluster: str, opts: pulumi.InvokeOptions) -> str | None:
    if cluster not in aws.eks.get_clusters(opts=opts).names:
        return None
    return aws.eks.get_cluster(name=cluster, opts=opts).version


def _newest(opts: pulumi.InvokeOptions) -> str:
    offered = aws.eks.get_cluster_versions(version_status="STANDARD_SUPPORT", opts=opts).cluster_versions
    return max((each.cluster_version for each in offered), key=rank)
