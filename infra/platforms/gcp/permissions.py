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
    "roles/iam.roleAdmin": "iam.roles.create",
    "roles/iam.serviceAccountAdmin": "iam.serviceAccounts.create",
    "roles/iam.serviceAccountUser": "iam.serviceAccounts.actAs",
    "roles/iam.workloadIdentityPoolAdmin": "iam.workloadIdentityPools.create",
    "roles/monitoring.editor": "monitoring.alertPolicies.create",
    "roles/resourcemanager.projectIamAdmin": "resourcemanager.projects.setIamPolicy",
    "roles/serviceusage.serviceUsageAdmin": "serviceusage.services.enable",
    "roles/storage.admin": "storage.buckets.create",
}

# What a preview and a drift check may do: read settings and states of what a stack has, and reach the cluster, where a
# role of its own says what they see (`workload/viewers.py`). No data, no billing: docs/adr/0035.
PREVIEW = (
    "artifactregistry.repositories.get", "artifactregistry.repositories.getIamPolicy",
    "certificatemanager.certmapentries.get", "certificatemanager.certmaps.get", "certificatemanager.certs.get",
    "certificatemanager.dnsauthorizations.get",
    "cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.getIamPolicy", "cloudkms.keyRings.get",
    "compute.addresses.get", "compute.firewalls.get", "compute.globalAddresses.get",
    "compute.instanceGroupManagers.get", "compute.networks.get", "compute.projects.get", "compute.regions.get",
    "compute.regionSslPolicies.get", "compute.routers.get", "compute.securityPolicies.get", "compute.sslPolicies.get",
    "compute.subnetworks.get", "compute.zones.list",
    "container.clusters.connect", "container.clusters.get", "container.operations.get",
    "dns.managedZones.get", "dns.resourceRecordSets.get", "dns.resourceRecordSets.list",
    "iam.roles.get", "iam.serviceAccounts.get",
    "iam.workloadIdentityPoolProviders.get", "iam.workloadIdentityPools.get",
    "monitoring.alertPolicies.get", "monitoring.dashboards.get", "monitoring.notificationChannels.get",
    "monitoring.uptimeCheckConfigs.get",
    "resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy",
    "serviceusage.services.get", "serviceusage.services.list",
    "storage.buckets.get", "storage.managedFolders.get", "storage.managedFolders.getIamPolicy",
)  # fmt: skip
# The kinds of Google's own that a stack has in its cluster, by API group; viewers see them too.
IN_CLUSTER = {
    "cloud.google.com": ("computeclasses",),
    "gateway.networking.k8s.io": ("gateways", "httproutes"),
    "monitoring.googleapis.com": ("podmonitorings", "rules"),
    "networking.gke.io": ("gcpbackendpolicies", "gcpgatewaypolicies", "healthcheckpolicies"),
}


def roles(config: GcpConfig) -> dict[str, str]:
    """Those that a stack of this configuration needs, each with the permission that tells."""
    has = {
        "roles/certificatemanager.owner": config.endpoint.domain is not None,
        "roles/cloudkms.admin": config.key is None,
        "roles/dns.admin": config.endpoint.zone is not None,
        "roles/iam.roleAdmin": config.ci.repository is not None,
        "roles/iam.workloadIdentityPoolAdmin": config.ci.repository is not None,
    }
    return {role: permission for role, permission in DEPLOY.items() if has.get(role, True)}
