"""Permissions of who deploys and of what a stack makes. `bootstrap/aws` grants them, the preflight asks for them; both
read one table, `actions.yaml`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from slipway.infra.names import STACK_TAG
from slipway.infra.platforms.aws.policies import AWS_POLICY, allow

if TYPE_CHECKING:
    from slipway.infra.platforms.aws.config import AwsConfig

PASS = "iam:PassRole"  # noqa: S105 - an action
# What the deployer may do with its own role: ask what it may do.
OWN = ("iam:GetRole", "iam:SimulatePrincipalPolicy")
# AWS's own policies that a role of a stack may have.
ATTACHED = (
    "AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy", "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy",
)  # fmt: skip
# Roles that AWS makes for its services when they are first used.
SERVICE_LINKED = (
    "eks.amazonaws.com", "eks-nodegroup.amazonaws.com", "elasticloadbalancing.amazonaws.com",
    "autoscaling.amazonaws.com", "spot.amazonaws.com", "scraper.aps.amazonaws.com",
)  # fmt: skip
VERBS = ("make", "read", "change", "remove")


@dataclass(frozen=True, kw_only=True)
class TypeRow:
    """The row of one type in `actions.yaml`, which says what each field is. `change`: by argument, `""` of any."""

    make: Sequence[str]
    read: Sequence[str]
    change: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remove: Sequence[str] = ()
    part: str = "stack"
    names: Mapping[str, str] = field(default_factory=dict)
    tagged: bool = False
    passes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def actions(self, verb: str) -> list[str]:
        if verb == "change":
            return [each for changes in self.change.values() for each in changes]
        return list(getattr(self, verb))


@dataclass(frozen=True, kw_only=True)
class Table:
    """`actions.yaml`."""

    resources: Mapping[str, Mapping[str, Any]]
    bounded: Sequence[str]
    only: Mapping[str, Mapping[str, Mapping[str, Any]]]
    unbound: Mapping[str, str]
    types: Mapping[str, TypeRow]
    besides: Mapping[str, Mapping[str, Any]]

    @cached_property
    def scopes(self) -> dict[str, set[str]]:
        """{scope: actions}; a scope is `*`, `tagged`, or a kind of `resources`. What is granted everywhere is nowhere
        else."""
        found: dict[str, set[str]] = defaultdict(set)
        for row in self.types.values():
            for verb in VERBS:
                for action in row.actions(verb):
                    for scope in self._scopes(row, verb, action):
                        found[scope].add(action)
        for use in self.besides.values():
            for scope in use.get("names", ["*"]):
                found[scope].update(use["actions"])
        return {
            scope: actions if scope == "*" else actions - found["*"]
            for scope, actions in found.items()
            if scope == "*" or actions - found["*"]
        }

    def _scopes(self, row: TypeRow, verb: str, action: str) -> Sequence[str]:
        if action in self.only and not row.names:
            return ["tagged"]
        if row.names and action not in self.unbound:
            return list(row.names)
        return ["tagged" if row.tagged and verb in ("change", "remove") else "*"]


@cache
def table() -> Table:
    content = yaml.safe_load(Path(__file__).with_name("actions.yaml").read_text())
    types = {kind: TypeRow(**_with_changes(row)) for kind, row in content.pop("types").items()}
    return Table(types=types, **content)


def _with_changes(row: dict[str, Any]) -> dict[str, Any]:
    change = row.get("change", {})
    return {**row, "change": change if isinstance(change, dict) else {"": change}}


def asked(config: AwsConfig, account: str, name: str) -> dict[str, list[str]]:
    """{ARN, or `*`: the actions that a deployer has to be allowed there}: the first of each type that a stack of this
    configuration has, and all of roles. `name`: what the stack's physical names start with."""
    known, found = table(), defaultdict(set)
    for kind in _types(config):
        row = known.types[kind]
        is_role = "role" in row.names
        for action in [each for verb in VERBS for each in row.actions(verb)] if is_role else row.make[:1]:
            kinds = [each for each in row.names if action in known.scopes.get(each, ())]
            found[arns(kinds[0], account, [name])[0] if kinds else "*"].add(action)
    found[arns("role", account, [name])[0]].add(PASS)
    return {_there(where, config.region or ""): sorted(each) for where, each in found.items()}


def _there(arn: str, region: str) -> str:
    """The ARN without wildcards, as of something that is still to be made."""
    return arn if arn == "*" else arn.replace(":*:", f":{region}:").replace("*", "preflight")


def _types(config: AwsConfig) -> list[str]:
    has = {
        "network": config.network.vpc is None,
        "cluster": config.cluster.existing is None,
        "groups": config.cluster.compute == "managed" and config.cluster.existing is None,
        "edge": config.endpoint.domain is not None,
        "zone": config.endpoint.zone is not None,
        "firewall": config.endpoint.domain is not None and config.endpoint.waf,
        "prometheus": config.observability.prometheus,
        "budget": config.budget.monthlyUsd is not None,
    }
    return [kind for kind, row in table().types.items() if has.get(row.part, True)]


def granted(account: str, project: str, stacks: Sequence[str], boundaries: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The statements of a role that deploys these stacks. `boundaries`: ARNs of what bounds the roles they make."""
    known = table()
    names = [f"{project}-{each}" for each in stacks]
    labels = [f"{project}/{each}" for each in stacks]
    carries = {"StringEquals": {f"aws:ResourceTag/{STACK_TAG}": labels}}
    for scope, each in sorted(known.scopes.items()):
        if scope == "role":
            yield from _roles(each, arns("role", account, names), boundaries)
        elif scope == "tagged":
            yield allow(sorted(each), ["*"], Condition=carries)
        else:
            yield allow(sorted(each), ["*"] if scope == "*" else arns(scope, account, names))
    for action, condition in known.only.items():
        yield allow([action], ["*"], Condition=condition)
    to = {"StringEquals": {"iam:PassedToService": passed_to()}}
    yield allow([PASS], arns("role", account, names), Condition=to)
    linked = [f"arn:aws:iam::{account}:role/aws-service-role/{service}/*" for service in SERVICE_LINKED]
    yield allow(["iam:CreateServiceLinkedRole"], linked)
    yield allow(["iam:GetPolicy"], list(boundaries))


def passed_to() -> list[str]:
    """The services that roles of a stack are handed to."""
    return sorted({each for row in table().types.values() for services in row.passes.values() for each in services})


def _roles(every: set[str], roles: list[str], boundaries: Sequence[str]) -> Iterator[dict[str, Any]]:
    bounded = table().bounded
    demanded = {"StringEquals": {"iam:PermissionsBoundary": list(boundaries)}}
    yield allow(sorted(every.difference(bounded)), roles)
    yield allow(sorted(every.intersection(bounded) - {"iam:AttachRolePolicy"}), roles, Condition=demanded)
    attached = {"ArnEquals": {"iam:PolicyARN": [f"{AWS_POLICY}{each}" for each in ATTACHED]}}
    yield allow(["iam:AttachRolePolicy"], roles, Condition={**demanded, **attached})


def arns(kind: str, account: str, names: Sequence[str]) -> list[str]:
    """The ARNs of what stacks with these names may have of a kind of `resources`, with wildcards."""
    row = table().resources[kind]
    found = [row["arn"].replace("{}", ours.format(stack=name)) for name in names for ours in row["ours"]]
    return list(dict.fromkeys(each.format(account=account) for each in found))


def arn_of(kind: str, account: str, name: str) -> str:
    """The ARN of one of these, of which the table's wildcards are unknown: its region, its random end."""
    if name.startswith("arn:"):
        return name
    return str(table().resources[kind]["arn"].replace("{}", name).format(account=account).replace("*", "x"))
