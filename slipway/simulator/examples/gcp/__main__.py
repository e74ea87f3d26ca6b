"""A small GKE stack: network, registry, bucket, key, cluster, node pool, identity. An example for the simulator."""

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

NAME = "example"
settings = pulumi.Config("gcp")
project, region = settings.require("project"), settings.require("region")
number = gcp.organizations.get_project(project_id=project).number
labels = {"slipway-stack": pulumi.get_stack()}
pool = f"projects/{number}/locations/global/workloadIdentityPools/{project}.svc.id.goog"

apis = [
    gcp.projects.Service(api, service=f"{api}.googleapis.com", disable_on_destroy=False)
    for api in ("container", "artifactregistry", "storage", "cloudkms")
]
enabled = pulumi.ResourceOptions(depends_on=apis)

network = gcp.compute.Network("network", name=NAME, auto_create_subnetworks=False, opts=enabled)
subnetwork = gcp.compute.Subnetwork(
    "nodes",
    name=NAME,
    region=region,
    network=network.id,
    ip_cidr_range="10.0.0.0/20",
    private_ip_google_access=True,
    secondary_ip_ranges=[
        gcp.compute.SubnetworkSecondaryIpRangeArgs(range_name="pods", ip_cidr_range="10.16.0.0/14"),
        gcp.compute.SubnetworkSecondaryIpRangeArgs(range_name="services", ip_cidr_range="10.20.0.0/20"),
    ],
    log_config=gcp.compute.SubnetworkLogConfigArgs(aggregation_interval="INTERVAL_10_MIN"),
)
router = gcp.compute.Router("router", name=NAME, region=region, network=network.id)
gcp.compute.RouterNat(
    "nat",
    name=NAME,
    region=region,
    router=router.name,
    nat_ip_allocate_option="AUTO_ONLY",
    source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
)

ring = gcp.kms.KeyRing("keys", name=NAME, location=region, opts=enabled)
key = gcp.kms.CryptoKey("key", name=NAME, key_ring=ring.id, rotation_period="7776000s", labels=labels)

repository = gcp.artifactregistry.Repository(
    "images",
    repository_id=NAME,
    location=region,
    format="DOCKER",
    kms_key_name=key.id,
    docker_config=gcp.artifactregistry.RepositoryDockerConfigArgs(immutable_tags=True),
    labels=labels,
)
bucket = gcp.storage.Bucket(
    "models",
    name=f"{project}-models",
    location=region,
    uniform_bucket_level_access=True,
    public_access_prevention="enforced",
    versioning=gcp.storage.BucketVersioningArgs(enabled=True),
    encryption=gcp.storage.BucketEncryptionArgs(default_kms_key_name=key.id),
    labels=labels,
)
account = gcp.serviceaccount.Account("nodes", account_id=f"{NAME}-nodes", opts=enabled)
gcp.projects.IAMMember(
    "nodes", project=project, role="roles/container.defaultNodeServiceAccount", member=account.member
)
gcp.artifactregistry.RepositoryIamMember(
    "nodes", location=region, repository=repository.name, role="roles/artifactregistry.reader", member=account.member
)

cluster = gcp.container.Cluster(
    "cluster",
    name=NAME,
    location=region,
    network=network.id,
    subnetwork=subnetwork.id,
    networking_mode="VPC_NATIVE",
    datapath_provider="ADVANCED_DATAPATH",
    remove_default_node_pool=True,
    initial_node_count=1,
    deletion_protection=False,
    ip_allocation_policy=gcp.container.ClusterIpAllocationPolicyArgs(
        cluster_secondary_range_name="pods", services_secondary_range_name="services"
    ),
    private_cluster_config=gcp.container.ClusterPrivateClusterConfigArgs(enable_private_nodes=True),
    control_plane_endpoints_config=gcp.container.ClusterControlPlaneEndpointsConfigArgs(
        dns_endpoint_config=gcp.container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgs(
            allow_external_traffic=True
        ),
        ip_endpoints_config=gcp.container.ClusterControlPlaneEndpointsConfigIpEndpointsConfigArgs(enabled=False),
    ),
    workload_identity_config=gcp.container.ClusterWorkloadIdentityConfigArgs(workload_pool=f"{project}.svc.id.goog"),
    release_channel=gcp.container.ClusterReleaseChannelArgs(channel="REGULAR"),
    database_encryption=gcp.container.ClusterDatabaseEncryptionArgs(state="ENCRYPTED", key_name=key.id),
    resource_labels=labels,
)
nodes = gcp.container.NodePool(
    "gpu",
    name="gpu",
    cluster=cluster.name,
    location=region,
    node_locations=[f"{region}-a"],
    autoscaling=gcp.container.NodePoolAutoscalingArgs(total_min_node_count=0, total_max_node_count=2),
    management=gcp.container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
    node_config=gcp.container.NodePoolNodeConfigArgs(
        machine_type="g2-standard-4",
        service_account=account.email,
        oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
        guest_accelerators=[gcp.container.NodePoolNodeConfigGuestAcceleratorArgs(type="nvidia-l4", count=1)],
        shielded_instance_config=gcp.container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        workload_metadata_config=gcp.container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
        labels=labels,
    ),
)
gcp.storage.BucketIAMMember(
    "service",
    bucket=bucket.name,
    role="roles/storage.objectViewer",
    member=f"principal://iam.googleapis.com/{pool}/subject/ns/slipway/sa/digits",
)

endpoints = cluster.control_plane_endpoints_config
host = endpoints.apply(lambda config: str(config.dns_endpoint_config and config.dns_endpoint_config.endpoint))
kubeconfig = pulumi.Output.json_dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "cluster",
        "clusters": [{"name": "cluster", "cluster": {"server": pulumi.Output.concat("https://", host)}}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "deployer"}}],
        "users": [
            {
                "name": "deployer",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "gke-gcloud-auth-plugin",
                        "provideClusterInfo": True,
                    }
                },
            }
        ],
    }
)
inside = kubernetes.Provider("cluster", kubeconfig=kubeconfig, opts=pulumi.ResourceOptions(depends_on=[nodes]))
kubernetes.core.v1.Namespace(
    "slipway",
    metadata=kubernetes.meta.v1.ObjectMetaArgs(
        name="slipway", labels={"pod-security.kubernetes.io/enforce": "restricted"}
    ),
    opts=pulumi.ResourceOptions(provider=inside),
)

pulumi.export("clusterName", cluster.name)
pulumi.export("repository", repository.registry_uri)
