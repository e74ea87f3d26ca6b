"""Who previews and deploys from GitHub: short-lived tokens, no key."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from slipway.infra.names import bounded
from slipway.infra.platforms.gcp.permissions import DEPLOY, PREVIEW

ISSUER = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True, kw_only=True)
class CiArgs:
    """`repository`: `owner/name`; `repository_id`: its number, which no other repository ever gets. `preview`,
    `deploy`: the GitHub environments whose jobs may do that, the second if any."""

    name: str
    project: pulumi.Input[str]
    number: pulumi.Input[str]
    repository: str
    repository_id: str
    preview: str
    deploy: str | None


class Ci(pulumi.ComponentResource):
    """Owns a pool of identities that takes GitHub's tokens of one repository alone, and what they may do here.

    Google keeps a removed pool's id for 30 days, in which no other can have it. Outputs: `provider`, for the workflow's
    login step; `previewer`, who previews, as Google and its clusters name it."""

    provider: pulumi.Output[str]
    previewer: pulumi.Output[str]

    def __init__(self, name: str, args: CiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:Ci", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        pool = gcp.iam.WorkloadIdentityPool(
            "ci",
            workload_identity_pool_id=bounded(32, args.name, "ci"),
            project=args.project,
            display_name="GitHub",
            description=f"Jobs of {args.repository}",
            opts=own,
        )
        provider = gcp.iam.WorkloadIdentityPoolProvider(
            "ci",
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="github",
            project=args.project,
            oidc={"issuer_uri": ISSUER},
            # Not GitHub's own subject, which has the repository's number in it or not, by its age. A token of a job
            # without an environment has no subject, and is refused.
            attribute_mapping={
                "google.subject": f"'repo:{args.repository}:environment:' + assertion.environment",
                "attribute.repository": "assertion.repository",
            },
            attribute_condition=f"assertion.repository_id == '{args.repository_id}'",
            opts=own,
        )
        within = pulumi.Output.format(
            "iam.googleapis.com/projects/{0}/locations/global/workloadIdentityPools/{1}",
            args.number, pool.workload_identity_pool_id,
        )  # fmt: skip
        self.previewer = _job(within, args.repository, args.preview)
        role = gcp.projects.IAMCustomRole(
            "preview",
            role_id=re.sub(r"\W", "_", bounded(64, args.name, "preview")),
            project=args.project,
            title=f"Previews of {args.name}",
            description="Settings and states of what a stack has; no data, no billing",
            permissions=sorted(PREVIEW),
            opts=own,
        )
        granted: dict[str, tuple[pulumi.Input[str], pulumi.Output[str]]] = {"preview": (role.name, self.previewer)}
        if args.deploy:
            deployer = _job(within, args.repository, args.deploy)
            granted |= {f"deploy-{each.removeprefix('roles/')}": (each, deployer) for each in DEPLOY}
        for key, (granted_role, member) in granted.items():
            gcp.projects.IAMMember(key, project=args.project, role=granted_role, member=member, opts=own)
        self.provider = provider.name
        self.register_outputs({"provider": self.provider})


def _job(pool: pulumi.Output[str], repository: str, environment: str) -> pulumi.Output[str]:
    """The jobs of a repository's GitHub environment: one subject, whatever the branch or request."""
    return pulumi.Output.concat("principal://", pool, f"/subject/repo:{repository}:environment:{environment}")
