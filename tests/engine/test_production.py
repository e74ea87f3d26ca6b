"""Production on the real engine, with stand-ins for what is outside: until it is released, nothing of it is deleted.

In this order. The local platform is in test_local_stack.py. Not every test is on every platform: the engine knows none,
and that the locks hold everything is a contract of all.
"""

from collections import Counter

import pytest
from slipway.infra.protection import ROLLING

from tests.engine.cloud import CloudStack
from tests.infra.aws.stacks import IMAGE as AWS_IMAGE
from tests.infra.aws.stacks import JWT
from tests.infra.gcp.stacks import IMAGE as GCP_IMAGE

pytestmark = pytest.mark.engine

SERVICES = {"digits": {"model": "models/digits"}, "linear": {"model": "models/linear", "port": 3001, "workers": 1}}
DOCKER = {"slipway:platform": "docker", "slipway:services": SERVICES}
PLATFORMS = {
    "docker": ("", DOCKER),
    "kubernetes": ("registry.example/{}@sha256:" + "a" * 64, None),
    "aws": (AWS_IMAGE, None),
    "gcp": (GCP_IMAGE, None),
}
RETAINED = {
    "docker": {},
    "kubernetes": {},
    "aws": {
        "Bucket": 2, "BucketPolicy": 2, "BucketPublicAccessBlock": 2, "BucketVersioning": 2,
        "BucketServerSideEncryptionConfiguration": 2, "BucketOwnershipControls": 2, "BucketLifecycleConfiguration": 2,
        "BucketLogging": 1, "Key": 1, "Alias": 1,
    },
    "gcp": {"Bucket": 1, "Repository": 1, "KeyRing": 1, "CryptoKey": 1, "CryptoKeyIAMMember": 4},
}  # fmt: skip


@pytest.fixture(scope="module", params=PLATFORMS)
def stack(request, tmp_path_factory):
    image, config = PLATFORMS[request.param]
    with CloudStack(tmp_path_factory.mktemp(request.param), request.param, image, config) as stack:
        stack.edit(lambda config: config.update({"slipway:environment": "production", "slipway:access": {"jwt": JWT}}))
        stack.up()
        yield stack


def ids(stack):
    """What there is, but for tags and the like."""
    return sorted((each["type"], each["id"]) for each in stack.books.all())


def is_ours(record):
    """Whether the program declares it, and it does not roll: the rest is the engine's own."""
    return (
        not record["type"].startswith("pulumi:pulumi:")
        and "::default" not in record["urn"]
        and record["type"] not in ROLLING
    )


def test_a_destroy_deletes_nothing_and_says_what_to_do(stack):
    before = ids(stack)
    said = stack.destroy(fails=True)
    assert f"slipway release {stack.stack}" in said and "cannot be deleted" in said
    assert ids(stack) == before and len(before) > 10
    assert f"slipway release {stack.stack}, then make down" in stack.slipway("stack", "removable", fails=True)


@pytest.mark.parametrize("stack", ["docker", "kubernetes"], indirect=True)
def test_new_keys_and_new_versions_need_no_release(stack):
    def change(config):
        config["slipway:access"]["jwt"]["audience"] = "others"
        if stack.stack == "docker":  # elsewhere a version is a change in place
            config["slipway:services"]["linear"]["workers"] = 2

    before = ids(stack)
    stack.edit(change)
    stack.up()
    rolled = {kind for kind, _ in set(before) ^ set(ids(stack))}
    assert rolled == ({"docker:index/container:Container"} if stack.stack == "docker" else set())


@pytest.mark.parametrize("stack", ["docker", "aws"], indirect=True)
def test_a_service_that_is_taken_out_stays(stack):
    before, config = ids(stack), stack.edit(lambda config: config["slipway:services"].pop("linear"))
    said = stack.up(fails=True)
    assert f"slipway release {stack.stack} --update: linear" in said
    assert ids(stack) == before
    stack.file.write_text(config)


@pytest.mark.parametrize("stack", ["kubernetes", "gcp"], indirect=True)
def test_production_that_is_to_be_staging_is_not_touched_and_stays_protected(stack):
    before, config = ids(stack), stack.edit(lambda config: config.update({"slipway:environment": "staging"}))
    assert f"run `slipway release {stack.stack}` first" in stack.up(fails=True)
    assert ids(stack) == before
    assert not [each["urn"] for each in stack.resources() if not each.get("protect") and is_ours(each)]
    stack.file.write_text(config)


@pytest.mark.parametrize("stack", ["kubernetes"], indirect=True)
def test_a_release_for_the_next_update_lets_go_of_what_it_deletes_and_of_nothing_else(stack):
    stack.edit(lambda config: config["slipway:services"].pop("linear"))
    stack.release("--update")
    released = {each["urn"].split("::")[-1] for each in stack.resources() if not each.get("protect") and is_ours(each)}
    assert released == {"linear", "slipway release kubernetes --update: linear"}
    stack.up()
    assert not any(each["name"] == "linear" for each in stack.books.all())
    assert not [each["urn"] for each in stack.resources() if not each.get("protect") and is_ours(each)]


def test_after_a_release_a_destroy_leaves_what_is_retained_and_all_that_guards_it(stack):
    assert "nothing was touched" in stack.release(typed="another", fails=True)
    stack.release()
    assert not any(each.get("protect") for each in stack.resources())
    retained = sorted((each["type"], each["id"]) for each in stack.resources() if each.get("retainOnDelete"))
    stack.slipway("stack", "removable")
    stack.destroy()
    assert ids(stack) == retained
    assert Counter(kind.rsplit(":", 1)[1] for kind, _ in retained) == RETAINED[stack.stack]
