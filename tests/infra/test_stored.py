"""Artifacts in the buckets of both clouds, under mocks: where they go, who reads them, how pods get them."""

import json

import pytest

from tests.infra.aws import stacks as aws
from tests.infra.gcp import stacks as gcp
from tests.recorder import run_program

FOLDERS = {"aws": "s3://slipway-test-models-123456789012", "gcp": "gs://slipway-test-models-example-project"}
# Who hands a pod its credentials.
AGENTS = {"aws": {"169.254.170.23/32"}, "gcp": {"169.254.169.252/32", "169.254.169.254/32"}}


@pytest.fixture(scope="module", params=["aws", "gcp"])
def cloud(request):
    return request.param


@pytest.fixture(scope="module")
def program(cloud):
    services = {"big": {"model": "models/digits", "modelFrom": "volume"}, "small": {"model": "models/linear"}}
    return run_program(**{**{"aws": aws, "gcp": gcp}[cloud].dev(), "services": services})


def pod(program, name):
    return program.inputs_of(name, "Deployment")["spec"]["template"]["spec"]


def outside(program, name):
    egress = program.inputs_of(name, "NetworkPolicy")["spec"]["egress"]
    return {to["ipBlock"]["cidr"] for rule in egress for to in rule.get("to", [])}


def test_a_copy_goes_where_its_own_service_alone_may_read(program, cloud):
    for service in ("big", "small"):
        folder = program.inputs_of(service, "StoredModel")["folder"]
        assert folder == f"{FOLDERS[cloud]}/models/{service}"
        if cloud == "aws":
            read, *_ = json.loads(program.inputs_of(service, "RolePolicy")["policy"])["Statement"]
            assert read["Resource"] == [f"{folder.replace('s3://', 'arn:aws:s3:::')}/*"]
        else:
            grant = program.inputs_of(service, "ManagedFolderIamMember")
            assert f"gs://{grant['bucket']}/{grant['managedFolder']}" == f"{folder}/"


def test_a_copy_waits_for_the_whole_bucket_and_holds_no_credential(program, cloud):
    behind = program.waits_for("StoredModel", "big")
    assert "ModelArtifact big" in behind and "Bucket models" in behind
    if cloud == "aws":
        encrypted = "BucketServerSideEncryptionConfiguration models"
        assert {encrypted, "BucketPolicy models", "BucketVersioning models"} <= behind
    given = {key for key, value in program.inputs_of("big", "StoredModel").items() if value}
    assert given <= {"artifact", "digest", "folder", "__provider"}


def test_outputs_name_the_copy_in_the_bucket(program):
    for service in program.outputs["services"].values():
        assert service["artifactUri"].startswith("s3://b/models/d@sha256:")


def test_a_pod_fetches_what_its_image_lacks_and_the_server_only_reads_it(program, cloud):
    spec = pod(program, "big")
    (fetching,), (server,) = spec["initContainers"], spec["containers"]
    assert fetching["image"] == server["image"]
    assert program.inputs_of("big", "ServiceImage")["artifact"] == ""
    source, folder = fetching["args"]
    assert source.endswith("@sha256:" + "d" * 64) and folder == "/models/sha256-" + "d" * 64
    assert {"name": "SLIPWAY_ARTIFACT", "value": folder} in server["env"]
    mounts = {each["name"]: each for each in server["volumeMounts"]}
    assert mounts["models"]["readOnly"] is True
    (volume,) = (each for each in spec["volumes"] if each["name"] == "models")
    assert volume["emptyDir"] == {"sizeLimit": "20Mi"}  # 3 MiB and a byte, and 16
    for container in (fetching, server):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]["ephemeral-storage"] == "68Mi"
    assert ({"name": "AWS_REGION", "value": "us-east-1"} in fetching["env"]) is (cloud == "aws")


def test_a_pod_starts_once_it_may_read_and_there_is_something_to_read(program, cloud):
    granted = {"aws": {"RolePolicy big", "PodIdentityAssociation big"}, "gcp": {"ManagedFolderIamMember big"}}[cloud]
    assert granted | {"StoredModel big"} <= program.waits_for("Deployment", "big")
    assert "StoredModel small" not in program.waits_for("Deployment", "small")


def test_the_bucket_and_the_identity_are_asked_by_services_that_fetch_alone(program, cloud):
    assert outside(program, "big") == {*AGENTS[cloud], "0.0.0.0/0"}
    # EKS hands every pod its identity the same way; the issuer of tokens is asked at any address.
    assert outside(program, "small") == ({*AGENTS[cloud], "0.0.0.0/0"} if cloud == "aws" else {"0.0.0.0/0"})
    assert "initContainers" not in pod(program, "small")
    assert program.inputs_of("small", "ServiceImage")["artifact"]
