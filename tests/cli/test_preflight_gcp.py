"""What the preflight asks of Google, of a double that answers as its REST interfaces do."""

import pytest
from slipway.infra.config.stack import StackConfig
from slipway.infra.platforms.gcp import preflight as preflight_gcp
from slipway.infra.platforms.gcp.permissions import DEPLOY

from slipway.ops.preflight.checks import run
from slipway.simulator.web import web
from tests.infra.gcp import stacks

PROJECT = "/cloudresourcemanager/v1/projects/example-project"
COMPUTE = "/compute/compute/v1/projects/example-project"
L4 = {"name": "g2-standard-8", "guestCpus": 8,
      "accelerators": [{"guestAcceleratorType": "nvidia-l4", "guestAcceleratorCount": 1}]}  # fmt: skip
DISABLED = (403, {"error": {"code": 403, "message": "Cloud DNS API has not been used in project 1 before"}}, {})


def quota(metric, limit, usage=0):
    return {"metric": metric, "limit": limit, "usage": usage}


@pytest.fixture
def google(monkeypatch):
    """A project in which the example can come up."""
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "double")
    monkeypatch.setattr(preflight_gcp, "delegated", lambda zone, servers: (None, f"{zone}: {len(servers)} servers"))
    zones = {
        f"zones/{zone}": {"machineTypes": [L4]}
        for zone in ("europe-west4-a", "europe-west4-b", "europe-west4-c", "us-central1-a")
    }
    answers = {
        PROJECT: {"projectId": "example-project", "lifecycleState": "ACTIVE"},
        f"{PROJECT}:testIamPermissions": lambda path, body, headers: {"permissions": body["permissions"]},
        "/cloudbilling/v1/projects/example-project/billingInfo": {
            "billingEnabled": True, "billingAccountName": "billingAccounts/01AB23-CD45EF-678901",
        },
        f"{COMPUTE}/aggregated/machineTypes?filter=": {"items": {**zones, "zones/europe-west4-x": {"warning": {}}}},
        f"{COMPUTE}/regions/europe-west4": {"quotas": [
            quota("NVIDIA_L4_GPUS", 2), quota("PREEMPTIBLE_NVIDIA_L4_GPUS", 4, 1), quota("CPUS", 72, 8),
        ]},
        COMPUTE: {"quotas": [quota("GPUS_ALL_REGIONS", 2)]},
        "/container/v1/projects/example-project/locations/europe-west4/serverConfig": {
            "channels": [{"channel": "RAPID"}, {"channel": "REGULAR", "defaultVersion": "1.36.2-gke.1"}],
        },
        "/dns/dns/v1/projects/example-project/managedZones/ml-example-org": {
            "dnsName": "example.org.", "nameServers": ["ns-cloud-a1.googledomains.com."],
        },
    }  # fmt: skip
    with web(answers) as double:
        double.base = f"{double.address}/{{}}"
        yield double


def config(variant=stacks.example):
    return StackConfig.model_validate(variant())


def failed(double, variant=stacks.example):
    """What fails, by the name of the check."""
    whole = config(variant)
    findings = run(whole, preflight_gcp.answers(whole, double.base))
    return {each.check: each.says for each in findings if each.outcome == "failed"}


def test_a_project_is_asked_for_everything_with_the_programs_own_token(google):
    whole = config()
    found = preflight_gcp.answers(whole, google.base)
    assert (found.account, found.lacking) == ("example-project", [])
    assert found.machines["g2-standard-8"].zones == {"europe-west4-a", "europe-west4-b", "europe-west4-c"}
    assert {each.name: (each.asked, each.given, each.used) for each in found.quotas} == {
        "PREEMPTIBLE_NVIDIA_L4_GPUS": (4, 4, 1), "NVIDIA_L4_GPUS": (2, 2, 0), "GPUS_ALL_REGIONS": (2, 2, 0),
        "CPUS": (24, 72, 8),
    }  # fmt: skip
    assert found.said["domain"] == [(True, "ml-example-org is of example.org"), (None, "example.org: 1 servers")]
    assert {each.outcome for each in run(whole, found) if each.check != "domain"} == {"ok"}
    assert {headers["authorization"] for *_, headers in google.asked} == {"Bearer double"}
    assert any("filter=%28name%3Dg2-standard-8%29" in path for _, path, *_ in google.asked)


def test_of_the_roles_only_those_that_the_stack_needs_are_asked_for_and_what_lacks_is_named(google):
    held = {*DEPLOY.values()} - {"container.clusters.create", "iam.workloadIdentityPools.create"}
    google.answers[f"{PROJECT}:testIamPermissions"] = lambda path, body, headers: {
        "permissions": sorted(held & {*body["permissions"]})
    }
    assert failed(google)["permissions"].startswith(
        "the credentials may not container.clusters.create (roles/container.admin): grant"
    )
    google.answers["/container/v1/projects/example-project/locations/europe-west4/serverConfig"] = {"channels": []}
    assert "iam.workloadIdentityPools.create" in failed(google, stacks.production)["permissions"]


def test_interfaces_that_are_not_enabled_yet_are_unknown(google):
    for path in [each for each in google.answers if not each.startswith(PROJECT)]:
        google.answers[path] = DISABLED
    assert failed(google) == {}


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "the credentials have expired: gcloud auth application-default login"),
     (403, "these credentials see no project example-project")],
)  # fmt: skip
def test_expired_credentials_and_another_project_are_told_with_the_fix(google, status, told):
    google.answers[PROJECT] = (status, {"error": {"message": "no"}}, {})
    assert failed(google)["credentials"].startswith(told)


def test_a_project_without_billing_or_about_to_be_deleted_fails(google):
    google.answers["/cloudbilling/v1/projects/example-project/billingInfo"] = {"billingEnabled": False}
    assert "has no billing" in failed(google)["billing"]
    google.answers[PROJECT] = {"projectId": "example-project", "lifecycleState": "DELETE_REQUESTED"}
    assert failed(google)["credentials"] == "project example-project is DELETE_REQUESTED"


def test_small_quotas_foreign_zones_and_channels_that_are_gone_fail(google):
    google.answers[f"{COMPUTE}/regions/europe-west4"] = {"quotas": [quota("PREEMPTIBLE_NVIDIA_L4_GPUS", 0)]}
    google.answers["/dns/dns/v1/projects/example-project/managedZones/ml-example-org"] = {"dnsName": "elsewhere.org."}
    google.answers["/container/v1/projects/example-project/locations/europe-west4/serverConfig"] = {"channels": []}
    found = failed(google)
    assert (
        found["quota"]
        == "PREEMPTIBLE_NVIDIA_L4_GPUS: 0 given, 0 in use now, 4 may be taken: ask for more, or lower max"
    )
    assert "ml.example.org is not in it" in found["domain"]
    assert found["version"].startswith("channel REGULAR is not offered")
    google.answers["/dns/dns/v1/projects/example-project/managedZones/ml-example-org"] = (404, {"error": {}}, {})
    assert "the project has no zone ml-example-org" in failed(google)["domain"]


def on_drivers(driver, cuda):
    whole = stacks.example()
    for pool in whole["gcp"]["cluster"]["gpu"]:
        pool["driver"] = driver
    return {**whole, "image": {"cuda": cuda}}


@pytest.mark.parametrize(
    ("driver", "cuda", "good"),
    [("latest", "13", True), ("latest", "12", True), ("default", "12", True), ("default", "13", False)],
)
def test_a_driver_that_is_too_old_for_the_images_cuda_is_told_with_both_fixes(google, driver, cuda, good):
    said = failed(google, lambda: on_drivers(driver, cuda)).get("driver", "")
    assert (said == "") is good
    if not good:
        assert "CUDA 13 needs a driver of 580" in said and "has been 535" in said
        assert "driver: latest" in said and "slipway:image.cuda: '12'" in said


def test_what_needs_no_answer_is_said_without_one():
    found = preflight_gcp.answers(config(), "http://127.0.0.1:9/{}")
    assert {good for good, _ in found.said["driver"]} == {True}


def test_a_silent_network_is_no_failure(google):
    found = preflight_gcp.answers(config(), "http://127.0.0.1:9/{}")
    assert not found.refused and found.refusal.startswith("nobody to ask")


@pytest.mark.parametrize(
    ("says", "refused", "told"),
    [("ERROR: Your default credentials were not found. To set up", True, "there are no credentials"),
     ("ERROR: ('invalid_grant: Bad Request', {'error_subtype': 'invalid_rapt'})", True, "the credentials have expired"),
     ("ERROR: TransportError: Failed to establish a new connection", False, "nobody to ask")],
)  # fmt: skip
def test_what_gcloud_says_of_a_login_is_told_with_the_fix(says, refused, told, tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "gcloud").write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{says}\nEND\nexit 1\n")
    (tmp_path / "gcloud").chmod(0o755)
    found = preflight_gcp.answers(config())
    assert found.refused is refused and found.refusal.startswith(told)
    (tmp_path / "gcloud").write_text("#!/bin/sh\necho $*\n")
    assert preflight_gcp.token() == ("auth application-default print-access-token --quiet", "")


def test_without_gcloud_nobody_is_asked(tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert preflight_gcp.answers(config()).refusal == "nobody to ask: gcloud is not on PATH"
