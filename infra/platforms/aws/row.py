"""Serving on an EKS cluster in an AWS account."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from slipway.infra.names import IDENTITY_TAG, models_bucket, name_of
from slipway.infra.platforms.answers import Answers, Swept, Tagged
from slipway.infra.platforms.aws.billing import BILLING
from slipway.infra.platforms.aws.config import AwsConfig
from slipway.infra.platforms.aws.import_ids import RECOVERY
from slipway.infra.platforms.aws.quotas import pools
from slipway.infra.platforms.aws.rules import problems
from slipway.infra.platforms.row import Anchor, Cloud, Kubectl, PlatformRow
from slipway.infra.platforms.unsupported import CLUSTER
from slipway.infra.workload.names import namespace_of

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.cost.price_list import Figure
    from slipway.infra.platforms.base import Platform


def _open(config: StackConfig) -> Platform:
    from slipway.infra.platforms.aws.platform import AwsPlatform

    return AwsPlatform(config)


def _sweep(stack: str, identity: str, config: StackConfig, tagged: Tagged) -> Swept:
    from slipway.infra.platforms.aws.sweep import sweep

    return sweep(stack, identity, config, tagged)


def _anchor(config: StackConfig, project: str, stack: str) -> Anchor | None:
    own = config.of(AwsConfig)
    if not (own.account and own.region):
        return None
    return Anchor(
        type="aws:s3/bucket:Bucket",
        id=models_bucket(name_of(project, stack), own.account),
        package="aws",
        settings={"region": own.region},
        labels='aws.s3.Bucket.get("anchor", anchor).tags',
    )


def _preflight(config: StackConfig, stack: str) -> Answers:
    from slipway.infra.platforms.aws.preflight import answers

    return answers(config, stack)


def _registry(config: StackConfig, answers: Answers) -> tuple[str, str] | None:
    own = config.of(AwsConfig)
    if not (account := own.account or answers.account):
        return None
    host = f"{account}.dkr.ecr.{own.region}.amazonaws.com"
    return host, f"aws ecr get-login-password --region {own.region} | docker login -u AWS --password-stdin {host}"


def _version(config: StackConfig) -> tuple[str, str] | None:
    wanted = config.of(AwsConfig).cluster.version
    return (wanted, f"Kubernetes {wanted}") if wanted else None


def _price_list(region: str, machines: Collection[str]) -> Iterator[Figure]:
    from slipway.infra.platforms.aws.prices import figures

    return figures(region, machines)


AWS = PlatformRow(
    name="aws",
    settings=AwsConfig,
    description="EKS: {region, account, cluster, endpoint, ...}",
    unsupported=CLUSTER,
    problems=problems,
    open=_open,
    sweep=_sweep,
    preflight=_preflight,
    registry=_registry,
    tools=("aws", "kubectl"),  # the kubeconfig calls the one; the other asks whether a new cluster is ready
    anchor=_anchor,
    kubectl=Kubectl(
        namespace=lambda config, project, stack: namespace_of(project, stack, config.of(AwsConfig).cluster.namespace)
    ),
    cloud=Cloud(
        package="aws",
        marked=("tags",),
        mark=IDENTITY_TAG,
        account=lambda config: ("aws.account", config.of(AwsConfig).account),
        region=lambda config: config.of(AwsConfig).region,
        version=_version,
        gpu_pools=lambda config: pools(config.of(AwsConfig)),
        names_region=lambda region: bool(re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region)),  # as us-east-1
        price_list=_price_list,
        billing=BILLING,
        recovery=RECOVERY,
    ),
)
