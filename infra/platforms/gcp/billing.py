"""What Google Cloud bills for, by type."""

from __future__ import annotations

from slipway.infra.cost.declared import UNKNOWN, Declared
from slipway.infra.cost.needs import NONE, Billing, Need, Rule, Span, Stack, always, by_use, count, region_of

CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
# A node of GKE: https://cloud.google.com/kubernetes-engine/docs/how-to/custom-boot-disks
DISK_GB, DISK = 100, "pd-balanced"
ZONES = 3  # of a region that names none
WITH_GPU = ("a2-", "a3-", "g2-")  # the machine's price has the GPU in it


def _cluster(resource: Declared, _stack: Stack) -> list[Need]:
    fee = [Need(item="gcp/gke-cluster")]
    if resource.get("enableAutopilot") is True:
        fee.append(Need(why="Autopilot bills what pods ask for, and those prices are not in the table"))
    return fee


def _node_pool(resource: Declared, stack: Stack) -> list[Need]:
    machine = resource.get("nodeConfig", "machineType")
    region = region_of(resource, stack)
    if not machine:
        return [Need(why="the machine type is not set")]
    nodes = pool_nodes(resource, stack)
    family = "gcp/spot" if resource.get("nodeConfig", "spot") is True else "gcp/instance"
    disk = resource.get("nodeConfig", "diskType") or DISK
    size = count(resource.get("nodeConfig", "diskSizeGb"), DISK_GB)
    needs = [
        Need(item=f"{family}/{machine}", region=region, amount=nodes),
        Need(item=f"gcp/{disk}", region=region, amount=nodes * size),
    ]
    if not str(machine).startswith(WITH_GPU):
        for gpu in resource.get("nodeConfig", "guestAccelerators") or ():
            needs.append(
                Need(item=f"gcp/gpu/{gpu.get('type')}", region=region, amount=nodes * count(gpu.get("count"), 1))
            )
    return needs


def pool_nodes(resource: Declared, stack: Stack) -> Span:
    """The nodes of a pool in all of its zones."""
    zones = len(resource.get("nodeLocations") or ()) or (ZONES if _regional(resource) else 1)
    scaling = resource.get("autoscaling")
    if not scaling or scaling is UNKNOWN:
        return Span.of(count(resource.get("nodeCount"), count(resource.get("initialNodeCount"), 1)) * zones)
    low = count(scaling.get("totalMinNodeCount"), count(scaling.get("minNodeCount")) * zones)
    high = count(scaling.get("totalMaxNodeCount"), count(scaling.get("maxNodeCount")) * zones)
    return stack.nodes(resource.name, low, high)


def _regional(resource: Declared) -> bool:
    location = str(resource.get("location") or "")
    return location.count("-") == 1


def _nat(resource: Declared, stack: Stack) -> list[Need]:
    """Paid by each VM behind it, the first 32; and by the GB."""
    nodes = sum((pool_nodes(each, stack) for each in stack.of_type(POOL)), NONE)
    capped = Span.of(*(min(each, 32) for each in (nodes.min, nodes.expected, nodes.max)))
    return [Need(item="gcp/nat-vm", amount=capped), *by_use("gcp/nat-data", "natGb")(resource, stack)]


def _gateway(resource: Declared, stack: Stack) -> list[Need]:
    """The load balancer that GKE makes of it: one forwarding rule for each listener."""
    rules = len(resource.get("spec", "listeners") or ()) or 1
    data = Need(
        item="gcp/lb-data", amount=Span.by_use(stack.config.usage.trafficGb), why="by use: cost.usage.trafficGb"
    )
    return [Need(item="gcp/forwarding-rule", amount=Span.of(rules)), data]


_BILLED: dict[str, Rule] = {
    CLUSTER: _cluster,
    POOL: _node_pool,
    "gcp:compute/routerNat:RouterNat": _nat,
    GATEWAY: _gateway,
    "gcp:compute/forwardingRule:ForwardingRule": always("gcp/forwarding-rule"),
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": always("gcp/forwarding-rule"),
    "gcp:compute/securityPolicy:SecurityPolicy": always("gcp/armor-policy"),
    "gcp:kms/cryptoKey:CryptoKey": always("gcp/kms-key-version"),
    "gcp:storage/bucket:Bucket": by_use("gcp/storage", "modelGb"),
    "gcp:artifactregistry/repository:Repository": by_use("gcp/artifact-registry", "imageGb"),
    "gcp:secretmanager/secretVersion:SecretVersion": always("gcp/secret-version"),
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": by_use("gcp/logs", "logGb"),
}
# An address in use by a load balancer is free: https://cloud.google.com/vpc/network-pricing
_FREE = (
    "artifactregistry/repositoryIamMember:RepositoryIamMember", "billing/budget:Budget",
    "certificatemanager/certificate:Certificate", "certificatemanager/certificateMap:CertificateMap",
    "certificatemanager/certificateMapEntry:CertificateMapEntry",
    "certificatemanager/dnsAuthorization:DnsAuthorization", "compute/address:Address", "compute/firewall:Firewall",
    "compute/globalAddress:GlobalAddress", "compute/network:Network", "compute/router:Router",
    "compute/sSLPolicy:SSLPolicy", "compute/subnetwork:Subnetwork", "dns/recordSet:RecordSet",
    "iam/workloadIdentityPool:WorkloadIdentityPool", "iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
    "kms/cryptoKeyIAMMember:CryptoKeyIAMMember", "kms/keyRing:KeyRing", "monitoring/alertPolicy:AlertPolicy",
    "monitoring/dashboard:Dashboard", "monitoring/notificationChannel:NotificationChannel",
    "monitoring/uptimeCheckConfig:UptimeCheckConfig", "projects/iAMCustomRole:IAMCustomRole",
    "projects/iAMMember:IAMMember", "projects/service:Service", "projects/serviceIdentity:ServiceIdentity",
    "secretmanager/secret:Secret", "secretmanager/secretIamMember:SecretIamMember", "serviceaccount/account:Account",
    "serviceaccount/iAMMember:IAMMember", "storage/bucketIAMMember:BucketIAMMember",
    "storage/managedFolder:ManagedFolder", "storage/managedFolderIamMember:ManagedFolderIamMember",
)  # fmt: skip
BILLING = Billing(billed=_BILLED, free=frozenset(f"gcp:{each}" for each in _FREE))
