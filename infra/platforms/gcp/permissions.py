"""What who deploys has to be allowed, said once: `ci.deploy` is granted it, the preflight asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.infra.platforms.gcp.config import GcpConfig

# The roles that the stack's own resources need, service by service; `roles/owner` would be shorter and more. Each with
# a permission that the stack can't do without: Google answers for permissions, not for roles.
DEPLOY = {
    "roles/artifactregistry.admin": "artifactregistry.repositories.create",
    "roles/certificatemanager.owner": "certificatemanager.certs.create",
    "roles/cloudkms.admin": "cloudkms.keyRings.create",
    "roles/compute.admin": "compute.networks.create",
    "roles/container.admin": "container.clusters.create",
    "roles/dns.admin": "dns.resourceRecordSets.create",
    "roles/iam.serviceAccountAdmin": "iam.serviceAccounts.create",
    "roles/iam.serviceAccountUser": "iam.serviceAccounts.actAs",
    "roles/iam.workloadIdentityPoolAdmin": "iam.workloadIdentityPools.create",
    "roles/monitoring.editor": "monitoring.alertPolicies.create",
    "roles/resourcemanager.projectIamAdmin": "resourcemanager.projects.setIamPolicy",
    "roles/serviceusage.serviceUsageAdmin": "serviceusage.services.enable",
    "roles/storage.admin": "storage.buckets.create",
}


def roles(config: GcpConfig) -> dict[str, str]:
    """Those that a stack of this configuration needs, each with the permission that tells."""
    has = {
        "roles/certificatemanager.owner": config.endpoint.domain is not None,
        "roles/cloudkms.admin": config.key is None,
        "roles/dns.admin": config.endpoint.zone is not None,
        "roles/iam.workloadIdentityPoolAdmin": config.ci.repository is not None,
    }
    return {role: permission for role, permission in DEPLOY.items() if has.get(role, True)}
