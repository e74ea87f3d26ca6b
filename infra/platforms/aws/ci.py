"""Who a GitHub workflow is to AWS: no key is stored anywhere, and what may change things is bound to an environment."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from slipway.infra.platforms.aws.permissions import MAY_TAKE, OWN, PASS, ROLES
from slipway.infra.platforms.aws.policies import AWS_POLICY, allow, document

ISSUER = "token.actions.githubusercontent.com"
# Settings and states, no data: not what is in buckets, tables or secrets.
LOOK = ("SecurityAudit", "job-function/ViewOnlyAccess")
# What these two lack of what the drift check reads; no budgets: docs/adr/0035.
BESIDE = (
    "aps:DescribeAlertManagerDefinition", "aps:DescribeRuleGroupsNamespace", "aps:DescribeScraper",
    "aps:DescribeWorkspace", "aps:ListTagsForResource", "s3:ListTagsForResource", "wafv2:GetIPSet",
)  # fmt: skip
SERVICE_LINKED = (
    "eks.amazonaws.com", "eks-nodegroup.amazonaws.com", "elasticloadbalancing.amazonaws.com",
    "autoscaling.amazonaws.com", "spot.amazonaws.com", "scraper.aps.amazonaws.com",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CiArgs:
    """`repository`: `owner/name` on GitHub. `environment`: the one there whose workflows may deploy, after its
    reviewers have agreed. `state`: the bucket with the stacks' state. `project`: what names of the stacks' roles
    start with."""

    account: str
    repository: str
    environment: str
    state: str
    project: str


class CiIdentity(pulumi.ComponentResource):
    """Owns GitHub's identity provider and two roles: `preview`, which looks and can change nothing, for the environment
    `preview` of pull requests and the drift check; `deploy`, for the environment that deploys alone. Outputs:
    `preview`, `deploy`, their ARNs."""

    preview: pulumi.Output[str]
    deploy: pulumi.Output[str]

    def __init__(self, name: str, args: CiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:CiIdentity", name, None, opts)
        self._own, self._args = pulumi.ResourceOptions(parent=self), args
        provider = aws.iam.OpenIdConnectProvider(
            "github", url=f"https://{ISSUER}", client_id_lists=["sts.amazonaws.com"], opts=self._own
        )
        # A job that names an environment is that environment to AWS, whatever has started it.
        self.preview = self._role("preview", provider, "environment:preview", LOOK, _looking(args))
        self.deploy = self._role(
            "deploy", provider, f"environment:{args.environment}", ("PowerUserAccess",), _deploying(args)
        )
        self.register_outputs({"preview": self.preview, "deploy": self.deploy})

    def _role(
        self, name: str, provider: aws.iam.OpenIdConnectProvider, subject: str, policies: tuple[str, ...], own: str
    ) -> pulumi.Output[str]:
        trust = provider.arn.apply(lambda arn: _trust(arn, f"repo:{self._args.repository}:{subject}"))
        role = aws.iam.Role(
            name,
            name=f"{self._args.project}-{name}",
            assume_role_policy=trust,
            max_session_duration=3600 * (1 if name == "preview" else 2),
            opts=self._own,
        )
        for policy in policies:
            short = policy.rsplit("/", 1)[-1]
            aws.iam.RolePolicyAttachment(
                f"{name}-{short}", role=role.name, policy_arn=f"{AWS_POLICY}{policy}", opts=self._own
            )
        aws.iam.RolePolicy(name, name="own", role=role.name, policy=own, opts=self._own)
        return role.arn


def _trust(provider: str, subject: str) -> str:
    said = {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": subject}
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {"StringEquals": said},
        }
    )


def _looking(args: CiArgs) -> str:
    """Reads the state and what the managed policies leave out; writes nothing but the locks that a preview takes."""
    bucket = f"arn:aws:s3:::{args.state}"
    return document(
        allow(["s3:GetObject"], [f"{bucket}/.pulumi/*"]),
        allow(["s3:ListBucket"], [bucket]),
        allow(["s3:PutObject", "s3:DeleteObject"], [f"{bucket}/.pulumi/locks/*"]),
        allow(BESIDE, ["*"]),
    )


def _deploying(args: CiArgs) -> str:
    """What PowerUserAccess lacks: the roles of the stacks, by their names alone, for the services that take them."""
    roles = [f"arn:aws:iam::{args.account}:role/{args.project}-*"]
    linked = [f"arn:aws:iam::{args.account}:role/aws-service-role/{service}/*" for service in SERVICE_LINKED]
    itself = [f"arn:aws:iam::{args.account}:role/{args.project}-{name}" for name in ("preview", "deploy")]
    return document(
        allow(ROLES, roles),
        allow([PASS], roles, Condition={"StringEquals": {"iam:PassedToService": list(MAY_TAKE)}}),
        allow(["iam:CreateServiceLinkedRole"], linked),
        allow(OWN, itself),
        # The roles of this program itself are not a workflow's to change.
        {"Effect": "Deny", "NotAction": list(OWN), "Resource": itself},
    )
