"""Who a GitHub workflow is to AWS: no key is stored anywhere, and what may change things is bound to an environment."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws
from slipway.infra.platforms.aws.boundary import boundary_name, boundary_policy
from slipway.infra.platforms.aws.ci_policies import ISSUER, CiArgs, deploying, itself, looking, trust
from slipway.infra.platforms.aws.policies import AWS_POLICY

# Settings and states, no data: not what is in buckets, tables or secrets.
LOOK = ("SecurityAudit", "job-function/ViewOnlyAccess")


class CiIdentity(pulumi.ComponentResource):
    """Owns GitHub's identity provider, a permissions boundary for each stack, and two roles: `preview`, which looks and
    can change nothing, for the environment `preview` of pull requests and the drift check; `deploy`, for the
    environment that deploys alone. Outputs: `preview`, `deploy`, their ARNs."""

    preview: pulumi.Output[str]
    deploy: pulumi.Output[str]

    def __init__(self, name: str, args: CiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:CiIdentity", name, None, opts)
        self._own, self._args = pulumi.ResourceOptions(parent=self), args
        provider = aws.iam.OpenIdConnectProvider(
            "github", url=f"https://{ISSUER}", client_id_lists=["sts.amazonaws.com"], opts=self._own
        )
        for stack in args.stacks:
            self._boundary(f"{args.project}-{stack}")
        # A job that names an environment is that environment to AWS, whatever has started it.
        preview = self._role("preview", provider, "preview")
        for policy in LOOK:
            self._attach("preview", policy.rsplit("/", 1)[-1], preview, f"{AWS_POLICY}{policy}")
        aws.iam.RolePolicy("preview", name="own", role=preview.name, policy=looking(args), opts=self._own)
        deploy = self._role("deploy", provider, args.environment)
        for index, policy in enumerate(deploying(args), 1):
            own = aws.iam.Policy(
                f"deploy-{index}",
                name=f"{args.project}-deploy-{index}",
                description="What the stacks' resources take, from infra/platforms/aws/actions.yaml",
                policy=policy,
                opts=self._own,
            )
            self._attach("deploy", str(index), deploy, own.arn)
        aws.iam.RolePolicy("deploy", name="own", role=deploy.name, policy=itself(args), opts=self._own)
        self.preview, self.deploy = preview.arn, deploy.arn
        self.register_outputs({"preview": self.preview, "deploy": self.deploy})

    def _boundary(self, stack: str) -> None:
        aws.iam.Policy(
            boundary_name(stack),
            name=boundary_name(stack),
            description=f"The most that a role of {stack} may do",
            policy=boundary_policy(self._args.account, stack, self._args.state),
            opts=self._own,
        )

    def _role(self, name: str, provider: aws.iam.OpenIdConnectProvider, environment: str) -> aws.iam.Role:
        return aws.iam.Role(
            name,
            name=f"{self._args.project}-{name}",
            assume_role_policy=provider.arn.apply(lambda arn: trust(arn, self._args, environment)),
            max_session_duration=3600 * (1 if name == "preview" else 2),
            opts=self._own,
        )

    def _attach(self, name: str, short: str, role: aws.iam.Role, policy: pulumi.Input[str]) -> None:
        aws.iam.RolePolicyAttachment(f"{name}-{short}", role=role.name, policy_arn=policy, opts=self._own)
