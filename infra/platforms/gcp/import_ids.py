"""The ids by which `pulumi import` finds what a killed update has created in Google Cloud."""

from __future__ import annotations

from slipway.infra.names import IDENTITY_LABEL
from slipway.infra.platforms.row import Recovery
from slipway.infra.workload.names import NAME, STACK

# From a resource's own inputs, its provider's (region, project) and the account, as the registry's pages say.
BY_NAME = {
    "gcp:artifactregistry/repository:Repository": "projects/{project}/locations/{location}/repositories/{repositoryId}",
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": (
        "projects/{project}/locations/{location}/repositories/{repository} {role} {member}"
    ),
    "gcp:certificatemanager/certificate:Certificate": "projects/{project}/locations/{location}/certificates/{name}",
    "gcp:certificatemanager/certificateMap:CertificateMap": (
        "projects/{project}/locations/global/certificateMaps/{name}"
    ),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": (
        "projects/{project}/locations/global/certificateMaps/{map}/certificateMapEntries/{name}"
    ),
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": (
        "projects/{project}/locations/{location}/dnsAuthorizations/{name}"
    ),
    "gcp:compute/address:Address": "projects/{project}/regions/{region}/addresses/{name}",
    "gcp:compute/firewall:Firewall": "projects/{project}/global/firewalls/{name}",
    "gcp:compute/globalAddress:GlobalAddress": "projects/{project}/global/addresses/{name}",
    "gcp:compute/network:Network": "projects/{project}/global/networks/{name}",
    "gcp:compute/router:Router": "projects/{project}/regions/{region}/routers/{name}",
    "gcp:compute/routerNat:RouterNat": "{project}/{region}/{router}/{name}",
    "gcp:compute/sSLPolicy:SSLPolicy": "projects/{project}/global/sslPolicies/{name}",
    "gcp:compute/securityPolicy:SecurityPolicy": "projects/{project}/global/securityPolicies/{name}",
    "gcp:compute/subnetwork:Subnetwork": "projects/{project}/regions/{region}/subnetworks/{name}",
    "gcp:compute/regionSslPolicy:RegionSslPolicy": "projects/{project}/regions/{region}/sslPolicies/{name}",
    "gcp:container/cluster:Cluster": "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}",
    "gcp:dns/recordSet:RecordSet": "{project}/{managedZone}/{name}/{type}",
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": (
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"
    ),
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": (
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"
        "/providers/{workloadIdentityPoolProviderId}"
    ),
    "gcp:kms/cryptoKey:CryptoKey": "{keyRing}/cryptoKeys/{name}",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": "{cryptoKeyId} {role} {member}",
    "gcp:kms/keyRing:KeyRing": "projects/{project}/locations/{location}/keyRings/{name}",
    "gcp:projects/iAMCustomRole:IAMCustomRole": "projects/{project}/roles/{roleId}",
    "gcp:projects/iAMMember:IAMMember": "{project} {role} {member}",
    "gcp:projects/service:Service": "{project}/{service}",
    "gcp:serviceaccount/account:Account": (
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com"
    ),
    "gcp:storage/bucket:Bucket": "{name}",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "b/{bucket} {role} {member}",
    "gcp:storage/managedFolder:ManagedFolder": "{bucket}/{name}",
    "gcp:storage/managedFolderIamMember:ManagedFolderIamMember": (
        "b/{bucket}/managedFolders/{managedFolder} {role} {member}"
    ),
}

# From what TAGGED finds under the stack's tag, Google's name: what has to match, and the id in it.
BY_TAG = {
    "gcp:monitoring/alertPolicy:AlertPolicy": r"^(projects/.*/alertPolicies/.*)",
    "gcp:monitoring/dashboard:Dashboard": r"^(projects/.*/dashboards/.*)",
    "gcp:monitoring/notificationChannel:NotificationChannel": r"^(projects/.*/notificationChannels/.*)",
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": r"^(projects/.*/uptimeCheckConfigs/.*)",
}
REPEATABLE = frozenset({"gcp:projects/serviceIdentity:ServiceIdentity"})

# What Google makes up names for is Cloud Monitoring's, and the plugin has no function that lists it. The variable is
# the plugin's own, for who reaches Google by another name.
TAGGED = f"""
import json, os
from urllib.parse import urlencode
from urllib.request import Request, urlopen
import pulumi_gcp as gcp

base = os.environ.get("GOOGLE_MONITORING_CUSTOM_ENDPOINT", "https://monitoring.googleapis.com/").rstrip("/")
client, found = gcp.organizations.get_client_config(), []
for version, kind in (("v3", "alertPolicies"), ("v3", "notificationChannels"), ("v3", "uptimeCheckConfigs"),
                      ("v1", "dashboards")):
    page = {{}}
    while page is not None:
        url = f"{{base}}/{{version}}/projects/{{client.project}}/{{kind}}?{{urlencode(page)}}"
        asked = Request(url, headers={{"Authorization": f"Bearer {{client.access_token}}"}})
        with urlopen(asked, timeout=60) as response:
            answer = json.load(response)
        for each in answer.get(kind, []):
            labels = each.get("labels" if kind == "dashboards" else "userLabels", {{}})
            if labels.get("{STACK}") == os.environ["SLIPWAY_STACK"].replace("/", "-").lower():
                found.append([each["name"], *(labels.get(key, "") for key in ("{NAME}", "{IDENTITY_LABEL}"))])
        page = {{"pageToken": answer["nextPageToken"]}} if answer.get("nextPageToken") else None
with open(os.environ["SLIPWAY_ANSWER"], "w") as answer:
    json.dump(found, answer)
"""

RECOVERY = Recovery(
    by_name=BY_NAME,
    by_tag=BY_TAG,
    repeatable=REPEATABLE,
    tagged=TAGGED,
    clusters=("gcp:container/cluster:Cluster",),  # its plugin waits by itself
)
