"""Who previews and deploys from GitHub: short-lived tokens, no key."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from slipway.infra.names import bounded
from slipway.infra.platforms.gcp.permissions import DEPLOY

ISSUER = "https://token.actions.githubusercontent.com"
# A preview reads: what is there, who may do what, and the artifacts it judges.
PREVIEW = ("roles/viewer", "roles/iam.securityReviewer", "roles/storage.objectViewer")


@dataclass(frozen=True, kw_only=True)
class CiArgs:
    """`repository`: `owner/name`. `deploy`: the GitHub environment whose jobs may deploy, if any."""

    name: str
    project: pulumi.Input[str]
    number: pulumi.Input[str]
    repository: str
    deploy: str | None


class Ci(pulumi.ComponentResource):
    """Owns a pool of identities that takes GitHub's tokens of one repository alone, and what they may do here.

    Google keeps a removed pool's id for 30 days, in which no other can have it. Output: `provider`, for the workflow's
    login step."""

    provider: pulumi.Output[str]

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
            attribute_mapping={"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"},
            attribute_condition=f"assertion.repository == '{args.repository}'",
            opts=own,
        )
        within = pulumi.Output.format(
            "iam.googleapis.com/projects/{0}/locations/global/workloadIdentityPools/{1}",
            args.number, pool.workload_identity_pool_id,
        )  # fmt: skip
        jobs = pulumi.Output.concat("principalSet://", within, f"/attribute.repository/{args.repository}")
        granted = {f"preview-{role}": (role, jobs) for role in PREVIEW}
        if args.deploy:
            subject = f"/subject/repo:{args.repository}:environment:{args.deploy}"
            granted |= {
                f"deploy-{role}": (role, pulumi.Output.concat("principal://", within, subject)) for role in DEPLOY
            }
        for key, (role, member) in granted.items():
            gcp.projects.IAMMember(key.replace("roles/", ""), project=args.project, role=role, member=member, opts=own)
        self.provider = provider.name
        self.register_outputs({"provider": self.provider})
