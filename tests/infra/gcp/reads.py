"""Permissions that the provider's Read needs, by type: from its sources, and Google's reference of the calls in them.
Budgets are not for previews (docs/adr/0035)."""

READS = {
    "artifactregistry/repository:Repository": ("artifactregistry.repositories.get",),
    "artifactregistry/repositoryIamMember:RepositoryIamMember": ("artifactregistry.repositories.getIamPolicy",),
    "certificatemanager/certificate:Certificate": ("certificatemanager.certs.get",),
    "certificatemanager/certificateMap:CertificateMap": ("certificatemanager.certmaps.get",),
    "certificatemanager/certificateMapEntry:CertificateMapEntry": ("certificatemanager.certmapentries.get",),
    "certificatemanager/dnsAuthorization:DnsAuthorization": ("certificatemanager.dnsauthorizations.get",),
    "compute/address:Address": ("compute.addresses.get",),
    "compute/firewall:Firewall": ("compute.firewalls.get",),
    "compute/globalAddress:GlobalAddress": ("compute.globalAddresses.get",),
    "compute/network:Network": ("compute.networks.get",),
    "compute/regionSslPolicy:RegionSslPolicy": ("compute.regionSslPolicies.get",),
    "compute/router:Router": ("compute.routers.get",),
    "compute/routerNat:RouterNat": ("compute.routers.get",),
    "compute/sSLPolicy:SSLPolicy": ("compute.sslPolicies.get",),
    "compute/securityPolicy:SecurityPolicy": ("compute.securityPolicies.get",),
    "compute/subnetwork:Subnetwork": ("compute.subnetworks.get",),
    # A pool's nodes are counted by its instance groups: without the permission Read fails, and so does a drift check.
    "container/cluster:Cluster": (
        "container.clusters.get", "container.operations.get", "compute.instanceGroupManagers.get",
    ),
    "container/nodePool:NodePool": ("container.clusters.get", "compute.instanceGroupManagers.get"),
    "dns/recordSet:RecordSet": (
        "dns.managedZones.get", "dns.resourceRecordSets.get", "dns.resourceRecordSets.list",
    ),
    "iam/workloadIdentityPool:WorkloadIdentityPool": ("iam.workloadIdentityPools.get",),
    "iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": ("iam.workloadIdentityPoolProviders.get",),
    "kms/cryptoKey:CryptoKey": ("cloudkms.cryptoKeys.get",),
    "kms/cryptoKeyIAMMember:CryptoKeyIAMMember": ("cloudkms.cryptoKeys.getIamPolicy",),
    "kms/keyRing:KeyRing": ("cloudkms.keyRings.get",),
    "monitoring/alertPolicy:AlertPolicy": ("monitoring.alertPolicies.get",),
    "monitoring/dashboard:Dashboard": ("monitoring.dashboards.get",),
    "monitoring/notificationChannel:NotificationChannel": ("monitoring.notificationChannels.get",),
    "monitoring/uptimeCheckConfig:UptimeCheckConfig": ("monitoring.uptimeCheckConfigs.get",),
    "projects/iAMCustomRole:IAMCustomRole": ("iam.roles.get",),
    "projects/iAMMember:IAMMember": ("resourcemanager.projects.getIamPolicy",),
    "projects/service:Service": ("serviceusage.services.get", "serviceusage.services.list"),
    "projects/serviceIdentity:ServiceIdentity": (),  # it reads nothing
    "serviceaccount/account:Account": ("iam.serviceAccounts.get",),
    "storage/bucket:Bucket": ("storage.buckets.get",),
    "storage/managedFolder:ManagedFolder": ("storage.managedFolders.get",),
    "storage/managedFolderIamMember:ManagedFolderIamMember": ("storage.managedFolders.getIamPolicy",),
}  # fmt: skip
# What the program asks before it declares anything, what the preflight asks, and the way into the cluster.
ASKS = (
    "resourcemanager.projects.get", "compute.projects.get", "compute.regions.get", "compute.zones.list",
    "container.clusters.connect",
)  # fmt: skip
