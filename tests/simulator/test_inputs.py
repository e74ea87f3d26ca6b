"""Each kind of wrong input is refused by the stand-in, naming the resource and the argument."""

import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.rpc import UNKNOWN

from slipway.simulator.books import Books
from slipway.simulator.faults import CloudError, Fault, Faults
from slipway.simulator.provider import StandIn, cloud_for
from slipway.simulator.scenario import Scenario

RULES = [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}]
GROUP = {
    "clusterName": "a",
    "nodeRoleArn": "b",
    "subnetIds": ["c"],
    "scalingConfig": {"desiredSize": 1, "maxSize": 1, "minSize": 0},
}
POOL = {
    "cluster": "c",
    "location": "europe-west4",
    "nodeConfig": {"guestAccelerators": [{"type": "nvidia-l4", "count": 1}]},
}


@pytest.fixture
def books(tmp_path):
    return Books(tmp_path / "books.json")


def stand_in(kind, books, *faults):
    return StandIn(cloud_for(kind.split(":")[0], books, Scenario()), Faults([Fault.parse(each) for each in faults]))


def struct(values):
    return json_format.ParseDict(values, struct_pb2.Struct())


def check(kind, books, **inputs):
    request = provider_pb2.CheckRequest(urn=f"urn:pulumi:s::p::{kind}::wrong", news=struct(inputs))
    return stand_in(kind, books).Check(request, None)


def create(servicer, kind, /, **inputs):
    request = provider_pb2.CreateRequest(urn=f"urn:pulumi:s::p::{kind}::it", properties=struct(inputs))
    return type(servicer).Create.__wrapped__(servicer, request, None)


def delete(servicer, kind, id_):
    request = provider_pb2.DeleteRequest(urn=f"urn:pulumi:s::p::{kind}::it", id=id_)
    return type(servicer).Delete.__wrapped__(servicer, request, None)


@pytest.mark.parametrize(
    ("kind", "inputs", "argument", "why"),
    [
        ("aws:ec2/vpc:Vpc", {"cidr": "10.0.0.0/16"}, "cidr", "is no argument"),
        ("aws:eks/cluster:Cluster", {"vpcConfig": {"subnetIds": ["a"]}}, "roleArn", "is required and missing"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": 10}, "cidrBlock", "not a string"),
        ("aws:ec2/vpc:Vpc", {"enableDnsSupport": "yes"}, "enableDnsSupport", "not a boolean"),
        ("aws:eks/nodeGroup:NodeGroup", {**GROUP, "diskSize": 1.5}, "diskSize", "not an integer"),
        ("aws:eks/nodeGroup:NodeGroup", {**GROUP, "subnetIds": "c"}, "subnetIds", "not a list"),
        ("aws:ec2/vpc:Vpc", {"tags": {"a": 1}}, "tags.a", "not a string"),
        ("aws:s3/bucket:Bucket", {"acl": "publik"}, "acl", "not one of private"),
        ("aws:s3/bucket:Bucket", {"versioning": {"enabled": True}}, "versioning", "is deprecated"),
        ("aws:s3/bucketV2:BucketV2", {}, "", "does not know"),
        ("aws:eks/nodeGroup:NodeGroup", {**GROUP, "taints": [{"key": "a"}]}, "taints[0].effect", "is required"),
        (
            "gcp:container/cluster:Cluster",
            {"privateClusterConfig": {"privateNodes": True}},
            "privateClusterConfig.privateNodes",
            "is no argument",
        ),
        (
            "gcp:container/cluster:Cluster",
            {"masterAuthorizedNetworksConfig": {}},
            "masterAuthorizedNetworksConfig",
            "every update would set it anew",
        ),
        (
            "gcp:artifactregistry/repository:Repository",
            {"dockerConfig": {"immutableTags": True}, "cleanupPolicies": [{"id": "old", "action": "DELETE"}]},
            "cleanupPolicies",
            "old would delete images with tags",
        ),
        ("gcp:compute/network:Network", {"mtu": "big"}, "mtu", "not an integer"),
        ("gcp:spanner/instance:Instance", {}, "", "does not know"),
        ("kubernetes:apps/v1:Deployment", {"spec": {"selector": {}}}, "spec.template", "is required"),
        (
            "kubernetes:core/v1:Service",
            {"spec": {"ports": [{"port": "http", "prot": 1}]}},
            "spec.ports[0].prot",
            "is no argument",
        ),
        ("kubernetes:core/v1:Pod", {}, "", "does not know"),
        (
            "kubernetes:networking.gke.io/v1:HealthCheckPolicy",
            {"spec": {"default": {"config": {"type": "HTTP", "httpHealthCheck": {"port": 3000}}}}},
            "spec.default.config.httpHealthCheck.port",
            "USE_FIXED_PORT",
        ),
        ("docker:index/container:Container", {"image": ["a"]}, "image", "not a string"),
        ("docker:index/container:Container", {}, "image", "is required"),
    ],
)
def test_a_wrong_input_is_refused_by_name(kind, inputs, argument, why, books):
    reasons = [each.reason for each in check(kind, books, **inputs).failures if each.property == argument]
    assert any(f"{kind} wrong: {argument}" in each and why in each for each in reasons), reasons


def test_right_and_unknown_inputs_pass(books):
    assert not check("aws:eks/nodeGroup:NodeGroup", books, **GROUP).failures
    assert not check("aws:eks/nodeGroup:NodeGroup", books, **{**GROUP, "subnetIds": UNKNOWN}).failures
    kind = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    assert not check(kind, books, bucket="a", rules=RULES).failures


def test_a_name_that_is_left_out_is_made_up_and_kept(books):
    first = json_format.MessageToDict(check("gcp:compute/network:Network", books).inputs)["name"]
    assert first.startswith("wrong-")
    request = provider_pb2.CheckRequest(
        urn="urn:pulumi:s::p::gcp:compute/network:Network::wrong", olds=struct({"name": first}), news=struct({})
    )
    again = stand_in("gcp:compute/network:Network", books).Check(request, None)
    assert json_format.MessageToDict(again.inputs)["name"] == first


def test_what_is_unique_is_not_made_twice(books):
    servicer = stand_in("aws:iam/role:Role", books)
    create(servicer, "aws:iam/role:Role", name="one", assumeRolePolicy="{}", path="/")
    with pytest.raises(CloudError, match="AlreadyExists"):
        create(servicer, "aws:iam/role:Role", name="one", assumeRolePolicy="{}", path="/")


def test_a_zone_without_the_gpu_refuses_the_nodes(books):
    aws = stand_in("aws:", books)
    subnet = create(aws, "aws:ec2/subnet:Subnet", vpcId="v", availabilityZone="us-east-1c")
    with pytest.raises(CloudError, match=r"g6.xlarge is not offered in us-east-1c"):
        create(
            aws, "aws:eks/nodeGroup:NodeGroup", **{**GROUP, "subnetIds": [subnet.id], "instanceTypes": ["g6.xlarge"]}
        )
    gcp = stand_in("gcp:", books)
    with pytest.raises(CloudError, match=r"nvidia-l4 is not offered in europe-west4-c"):
        create(gcp, "gcp:container/nodePool:NodePool", **POOL, nodeLocations=["europe-west4-c"])
    create(gcp, "gcp:container/nodePool:NodePool", **POOL)


def test_what_has_a_deletion_protection_of_its_own_is_not_deleted_until_it_is_off(books):
    aws, kind = stand_in("aws:", books), "aws:lb/loadBalancer:LoadBalancer"
    guarded, loose = (create(aws, kind, name=f"edge-{on}", enableDeletionProtection=on) for on in (True, False))
    with pytest.raises(CloudError, match="enableDeletionProtection is on"):
        delete(aws, kind, guarded.id)
    delete(aws, kind, loose.id)
    assert [each["id"] for each in books.all()] == [guarded.id]


@pytest.mark.parametrize(("settings", "replaced"), [({}, ["stringData"]), ({"enableSecretMutable": "true"}, [])])
def test_a_secret_with_other_content_is_made_anew_unless_the_provider_is_told_otherwise(books, settings, replaced):
    cluster = cloud_for("kubernetes", books, Scenario())
    cluster.configure(settings)
    old, new = ({"metadata": {"name": "a"}, "stringData": {"key": each}} for each in "ab")
    assert cluster.replaces("kubernetes:core/v1:Secret", old, new) == (["stringData"], replaced)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [(None, "gpu", False), ("gpu", None, False), (None, "other", True), ("other", "other", False)],
)
def test_the_gpu_taint_of_gkes_own_is_no_difference_and_another_is_one(books, before, after, changed):
    taints = {
        None: {},
        "gpu": {"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]},
        "other": {"taints": [{"key": "other", "value": "a", "effect": "NO_SCHEDULE"}]},
    }
    old, new = ({"nodeConfig": {"machineType": "g2-standard-8", **taints[each]}} for each in (before, after))
    found, replaced = cloud_for("gcp", books, Scenario()).replaces("gcp:container/nodePool:NodePool", old, new)
    assert (bool(found), replaced) == (changed, [])


def test_googles_own_agent_is_granted_nothing_before_the_api_that_makes_it_is_on(books):
    gcp, kind = stand_in("gcp:", books), "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
    grant = {
        "cryptoKeyId": "k",
        "role": "r",
        "member": "serviceAccount:service-1@compute-system.iam.gserviceaccount.com",
    }
    for api in ("storage", "compute"):
        with pytest.raises(CloudError, match="compute-system.* does not exist: compute.googleapis.com is not enabled"):
            create(gcp, kind, **grant)
        create(gcp, "gcp:projects/service:Service", service=f"{api}.googleapis.com", project="p")
    create(gcp, kind, **grant)
    create(gcp, kind, **{**grant, "member": "serviceAccount:nodes@p.iam.gserviceaccount.com"})


def test_a_quota_refuses_one_too_many(books):
    servicer = stand_in("aws:", books)
    for _ in range(5):
        create(servicer, "aws:ec2/eip:Eip", domain="vpc")
    with pytest.raises(CloudError, match="QuotaExceeded"):
        create(servicer, "aws:ec2/eip:Eip", domain="vpc")


@pytest.mark.parametrize(
    ("fault", "said", "made"),
    [
        ("fail@2", "InternalFailure", 2),
        ("throttle@2", "Throttling", 2),
        ("lost@2", "connection reset", 3),
        ("expire@2", "ExpiredToken", 1),
    ],
)
def test_a_fault_strikes_the_operation_it_names(fault, said, made, books):
    servicer = stand_in("aws:", books, fault)
    create(servicer, "aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16")
    with pytest.raises(CloudError, match=said):
        create(servicer, "aws:ec2/vpc:Vpc", cidrBlock="10.1.0.0/16")
    if fault.startswith("expire"):
        with pytest.raises(CloudError, match=said):
            create(servicer, "aws:ec2/vpc:Vpc", cidrBlock="10.2.0.0/16")
    else:
        create(servicer, "aws:ec2/vpc:Vpc", cidrBlock="10.2.0.0/16")
    assert len(books.all()) == made


def test_functions_answer_from_the_scenario_and_refuse_what_it_has_not():
    scenario = Scenario()
    assert scenario.answer("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"] == "123456789012"
    with pytest.raises(CloudError, match="the scenario has no answer"):
        scenario.answer("aws:ec2/getAmi:getAmi", {})
