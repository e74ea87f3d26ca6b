"""Serving on a GKE cluster in a project of Google Cloud."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from slipway.infra.names import IDENTITY_LABEL, models_bucket, name_of
from slipway.infra.platforms.answers import Answers, Swept, Tagged
from slipway.infra.platforms.gcp.billing import BILLING
from slipway.infra.platforms.gcp.config import GcpConfig
from slipway.infra.platforms.gcp.import_ids import RECOVERY
from slipway.infra.platforms.gcp.quotas import pools
from slipway.infra.platforms.gcp.rules import problems
from slipway.infra.platforms.row import Anchor, Cloud, Kubectl, PlatformRow
from slipway.infra.platforms.unsupported import CLUSTER
from slipway.infra.workload.names import namespace_of

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.cost.price_list import Figure
    from slipway.infra.platforms.base import Platform


def _open(config: StackConfig) -> Platform:
    from slipway.infra.platforms.gcp.platform import GcpPlatform

    return GcpPlatform(config)


def _sweep(stack: str, identity: str, config: StackConfig, _tagged: Tagged) -> Swept:
    from slipway.infra.platforms.gcp.sweep import sweep

    return sweep(stack, identity, config)


def _anchor(config: StackConfig, project: str, stack: str) -> Anchor | None:
    own = config.of(GcpConfig)
    if not (own.project and own.region):
        return None
    return Anchor(
        type="gcp:storage/bucket:Bucket",
        id=models_bucket(name_of(project, stack), own.project),
        package="gcp",
        settings={"project": own.project, "region": own.region},
        labels='gcp.storage.Bucket.get("anchor", anchor).effective_labels',
    )


def _preflight(config: StackConfig, _stack: str) -> Answers:
    from slipway.infra.platforms.gcp.preflight import answers

    return answers(config)


def _registry(config: StackConfig, _answers: Answers) -> tuple[str, str] | None:
    host = f"{config.of(GcpConfig).region}-docker.pkg.dev"
    return host, f"gcloud auth configure-docker {host}"


def _version(config: StackConfig) -> tuple[str, str] | None:
    wanted = config.of(GcpConfig).cluster.channel
    return (wanted, f"channel {wanted}") if wanted else None


def _price_list(region: str, machines: Collection[str]) -> Iterator[Figure]:
    from slipway.infra.platforms.gcp.prices import figures

    return figures(region, machines)


GCP = PlatformRow(
    name="gcp",
    settings=GcpConfig,
    description="GKE: {project, region, cluster, endpoint, ...}",
    unsupported=CLUSTER,
    problems=problems,
    open=_open,
    sweep=_sweep,
    preflight=_preflight,
    registry=_registry,
    tools=("gke-gcloud-auth-plugin",),  # the kubeconfig calls it
    anchor=_anchor,
    kubectl=Kubectl(
        namespace=lambda config, project, stack: namespace_of(project, stack, config.of(GcpConfig).cluster.namespace)
    ),
    scales_on=("cpu", "inflight", "requests"),
    cloud=Cloud(
        package="gcp",
        marked=("user_labels", "resource_labels", "labels"),  # a notification channel's `labels` are its settings
        mark=IDENTITY_LABEL,
        account=lambda config: ("gcp.project", config.of(GcpConfig).project),
        region=lambda config: config.of(GcpConfig).region,
        version=_version,
        gpu_pools=lambda config: pools(config.of(GcpConfig)),
        names_region=lambda region: bool(re.fullmatch(r"[a-z]+-[a-z]+\d+", region)),  # as us-east1
        price_list=_price_list,
        billing=BILLING,
        recovery=RECOVERY,
    ),
)
