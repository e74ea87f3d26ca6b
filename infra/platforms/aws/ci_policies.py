"""The documents of the roles that workflows take (`ci.py`): what lets them in, what each may do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.infra.config.base import ConfigError
from slipway.infra.platforms.aws.boundary import boundary_arn, boundary_name
from slipway.infra.platforms.aws.permissions import OWN, granted
from slipway.infra.platforms.aws.policies import allow, document

ISSUER = "token.actions.githubusercontent.com"
# What these two lack of what the drift check reads; no budgets: docs/adr/0035.
BESIDE = (
    "aps:DescribeAlertManagerDefinition", "aps:DescribeRuleGroupsNamespace", "aps:DescribeScraper",
    "aps:DescribeWorkspace", "aps:ListTagsForResource", "elasticloadbalancing:GetLoadBalancerWebACL",
    "s3:ListTagsForResource", "wafv2:GetIPSet",
)  # fmt: skip
# Characters of a managed policy, white space apart: AWS's limit.
POLICY_CHARACTERS = 6144


@dataclass(frozen=True, kw_only=True)
class CiArgs:
    """`repository`: `owner/name` on GitHub; `repository_id`: its number, which no other repository ever gets.
    `environment`: the one there whose workflows may deploy, after its reviewers have agreed. `state`: the bucket with
    the stacks' state; `store`: that of SLIPWAY_STORE, if it is one. `project`, `stacks`: what names start with.

    Raises:
        ConfigError: a name or number that can't be one.
    """

    account: str
    repository: str
    repository_id: str
    environment: str
    state: str
    project: str
    stacks: Sequence[str]
    store: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+", self.repository_id):
            raise ConfigError(f"repositoryId: {self.repository_id!r} is no number: gh api repos/OWNER/NAME --jq .id")
        if not self.stacks:
            raise ConfigError("stacks: is empty; it takes the names of the stacks that workflows deploy")
        for each in self.stacks:
            if not re.fullmatch(r"[a-z][a-z0-9-]*", each):
                raise ConfigError(f"stacks: {each!r} is no stack's name: use lower-case letters, digits and dashes")


def trust(provider: str, args: CiArgs, environment: str) -> str:
    """Jobs of the repository's GitHub environment. The number decides: whoever takes the name of a repository that was
    deleted or renamed has another. AWS wants the subject too, which GitHub writes with numbers since July 2026."""
    owner, name = args.repository.split("/")
    numbered = f"repo:{owner}@*/{name}@{args.repository_id}:environment:{environment}"
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {
                "StringEquals": {
                    f"{ISSUER}:aud": "sts.amazonaws.com",
                    f"{ISSUER}:environment": environment,
                    f"{ISSUER}:repository_id": args.repository_id,
                },
                "StringLike": {f"{ISSUER}:sub": [f"repo:{args.repository}:environment:{environment}", numbered]},
            },
        }
    )


def looking(args: CiArgs) -> str:
    """Reads the state and what the managed policies leave out; writes nothing but the locks that a preview takes."""
    return document(*_state(args, writes=("locks",)), allow(BESIDE, ["*"]))


def deploying(args: CiArgs) -> list[str]:
    """The managed policies of the role that deploys, each within AWS's limit."""
    boundaries = [boundary_arn(args.account, boundary_name(f"{args.project}-{each}")) for each in args.stacks]
    statements = [
        *granted(args.account, args.project, args.stacks, boundaries),
        *_state(args, writes=("stacks", "history", "backups", "locks")),
    ]
    if args.store:
        held = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
        statements.append(allow(held, [f"arn:aws:s3:::{args.store}", f"arn:aws:s3:::{args.store}/*"]))
    return [document(*each) for each in _packed(statements)]


def _state(args: CiArgs, writes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The state of these stacks and of no other in the bucket: not that of the program which makes this role."""
    bucket = f"arn:aws:s3:::{args.state}"
    parts = {
        "stacks": [f"{args.project}/{{}}.json*"],
        "history": [f"{args.project}/{{}}/*"],
        "backups": [f"{args.project}/{{}}/*"],
        "locks": [f"organization/{args.project}/{{}}/*"],
    }

    def places(names: Sequence[str]) -> list[str]:
        return [
            f"{bucket}/.pulumi/{name}/{path.format(stack)}"
            for name in names
            for path in parts[name]
            for stack in args.stacks
        ]

    yield allow(["s3:GetObject"], [f"{bucket}/.pulumi/meta.yaml", *places(list(parts))])
    yield allow(["s3:ListBucket"], [bucket])
    yield allow(["s3:PutObject", "s3:DeleteObject"], places(writes))


def itself(args: CiArgs) -> str:
    """What no other policy may give back: roles and policies of this program are not a workflow's to change, and a
    boundary stays on."""
    itself = [f"arn:aws:iam::{args.account}:role/{args.project}-{name}" for name in ("preview", "deploy")]
    return document(
        allow(OWN, itself),
        {"Effect": "Deny", "NotAction": list(OWN), "Resource": itself},
        {"Effect": "Deny", "Action": ["iam:DeleteRolePermissionsBoundary"], "Resource": ["*"]},
        {
            "Effect": "Deny",
            "NotAction": ["iam:GetPolicy"],
            "Resource": [f"arn:aws:iam::{args.account}:policy/*"],
        },
    )


def _packed(statements: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    taken: list[Mapping[str, Any]] = []
    for each in statements:
        if taken and _characters([*taken, each]) > POLICY_CHARACTERS:
            yield taken
            taken = []
        taken = [*taken, each]
    yield taken


def _characters(statements: Sequence[Mapping[str, Any]]) -> int:
    return len(re.sub(r"\s", "", json.dumps(json.loads(document(*statements)))))
