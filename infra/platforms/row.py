"""A platform as data: what the rest of the product needs to know of it besides the resources it declares.

The rows are in `table.py`, one for each folder. Nothing here needs a cloud's SDK: what does is imported when called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slipway.infra.config.base import Settings
from slipway.infra.platforms.answers import Answers, Swept, Tagged

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.cost.needs import Billing
    from slipway.infra.cost.price_list import Figure
    from slipway.infra.platforms.base import Platform
    from slipway.infra.platforms.quota import Pool


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How `slipway recover` finds what a crashed update has created.

    `by_name`: templates of import ids, by type, from the resource's inputs, its provider's and the account. `by_tag`:
    patterns of the names that `tagged` finds, with the id in them. `repeatable`: types that may be created twice.
    `tagged`: a Pulumi program that declares nothing and writes [[name in the cloud, logical name, identity], ...] into
    $SLIPWAY_ANSWER for the stack $SLIPWAY_STACK. `clusters`: types of Kubernetes clusters. `awaited`: types that are
    read while the cloud still makes them, by their output `status`.
    """

    by_name: Mapping[str, str]
    by_tag: Mapping[str, str]
    repeatable: frozenset[str]
    tagged: str
    clusters: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """What a cloud adds to its platform's row.

    `package`: of its Pulumi provider, and of its items in the price table. `marked`: arguments that take tags or
    labels; the first that a type has takes the stack's identity, under the name `mark`. `account`: the key that names
    the account, and its value. `version`: what is asked for of Kubernetes, and how a message calls it; None: nothing.
    `names_region`: whether a region's name is of this cloud's form. `price_list`: the figures of a region and of
    machine types.
    """

    package: str
    marked: tuple[str, ...]
    mark: str
    account: Callable[[StackConfig], tuple[str, str | None]]
    region: Callable[[StackConfig], str | None]
    version: Callable[[StackConfig], tuple[str, str] | None]
    gpu_pools: Callable[[StackConfig], list[Pool]]
    names_region: Callable[[str], bool]
    price_list: Callable[[str, Collection[str]], Iterator[Figure]]
    billing: Billing
    recovery: Recovery


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """The one resource of a stack that shows who owns its names: its bucket, or its namespace.

    `type`, `id`: as in the state. `package`, `settings`: of the provider that reads it. `labels`: its tags or labels,
    as an expression of the package's SDK, in which `anchor` is the id.
    """

    type: str
    id: str
    package: str
    settings: Mapping[str, str]
    labels: str


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """How the platform's cluster is reached by hand. `namespace`: of the stack's services, where it tells none itself:
    (configuration, project, stack). `flags`: whose kubeconfig; None: the stack exports one."""

    namespace: Callable[[StackConfig, str, str], str]
    flags: Callable[[StackConfig], list[str]] | None = None


def nothing_to_ask(_config: StackConfig, _stack: str) -> Answers:
    """Of a platform with nothing outside of this machine."""
    return Answers()


def no_anchor(_config: StackConfig, _project: str, _stack: str) -> Anchor | None:
    """Of a platform on which the backend is part of a stack's name, or one host is the stack's own."""
    return None


def no_registry(_config: StackConfig, _answers: Answers) -> None:
    """Of a platform that pushes no images."""


def no_rules(_config: StackConfig) -> Iterable[str]:
    """Of a platform on which all settings go together."""
    return ()


def nothing_known(_url: str) -> list[str]:
    """Of a platform that knows no more of a silent service than that it is silent."""
    return []


@dataclass(frozen=True, kw_only=True)
class PlatformRow:
    """One platform.

    `settings`: what `slipway:<name>` takes, with its `description`; None: nothing. `unsupported`: keys of a service
    that the platform lacks, each with the reason. `problems`: settings that contradict each other, as `key: why and the
    fix`. `open`: makes the platform, which declares the first resources. `sweep`: looks for what a destroy has left:
    (stack, identity that its state had or empty, configuration, who asks for tags). `anchor`: shows who owns a stack of
    this configuration, project and name. `preflight`: what can be found out before an update. `tools`: programs that an
    update needs on PATH. `registry`: where images go, and the command that logs docker in. `builds_images`: services
    run from images. `on_host`: all services share the ports of one machine. `on_this_machine`: its processes are this
    machine's, so a dev stack without keys takes this machine's own, and nothing is simulated. `why_silent`: what the
    platform knows of a service that does not answer. `scales_on`: what can decide how many pods there are (`scale.on`).
    `metrics`: what a service tells Prometheus, by instance: (configuration, stack, service); None: only a cluster's
    Prometheus sees all of it.
    """

    name: str
    settings: type[Settings] | None = None
    description: str = ""
    unsupported: Mapping[str, str] = field(default_factory=dict)
    problems: Callable[[StackConfig], Iterable[str]] = no_rules
    open: Callable[[StackConfig], Platform]
    sweep: Callable[[str, str, StackConfig, Tagged], Swept]
    anchor: Callable[[StackConfig, str, str], Anchor | None] = no_anchor
    preflight: Callable[[StackConfig, str], Answers] = nothing_to_ask
    registry: Callable[[StackConfig, Answers], tuple[str, str] | None] = no_registry
    tools: tuple[str, ...] = ()
    builds_images: bool = True
    on_host: bool = False
    on_this_machine: bool = False
    why_silent: Callable[[str], list[str]] = nothing_known
    kubectl: Kubectl | None = None
    scales_on: Collection[str] = ("cpu", "inflight")
    metrics: Callable[[StackConfig, str, str], Mapping[str, str]] | None = None
    cloud: Cloud | None = None

    @property
    def has_identity(self) -> bool:
        """Whether its stacks carry an identity: where something of theirs can show it."""
        return self.anchor is not no_anchor
