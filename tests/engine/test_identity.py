"""Two checkouts of one stack on the real engine, with stand-ins for what is outside: the second touches nothing of the
first, and a state that was lost is found again by its identity alone. In this order."""

import os

import pytest

from slipway.simulator.books import Books
from tests.engine.cloud import CloudStack
from tests.infra.aws.stacks import IMAGE as AWS_IMAGE
from tests.infra.aws.stacks import JWT
from tests.infra.gcp.stacks import IMAGE as GCP_IMAGE

pytestmark = pytest.mark.engine

# Google's budgets have neither label nor name of ours to be found by: docs/recovery.md.
MADE_AGAIN = {"gcp:billing/budget:Budget"}
PLATFORMS = {"kubernetes": "registry.example/{}@sha256:" + "a" * 64, "aws": AWS_IMAGE, "gcp": GCP_IMAGE}


@pytest.fixture(scope="module")
def platform():
    """The least to make; tests/faults/test_identity.py has the clouds."""
    return "kubernetes"


@pytest.fixture(scope="module")
def checkout(platform, tmp_path_factory):
    """Makes a checkout of the stack with a state of its own, in the same account and cluster as the others'."""
    first = []

    def made():
        stack = CloudStack(tmp_path_factory.mktemp(platform), platform, PLATFORMS[platform])
        stack.edit(lambda config: config.update({"slipway:access": {"jwt": JWT}}))
        # A checkout's commands read its own stack file.
        stack.environment["PYTHONPATH"] = f"{stack.program}{os.pathsep}{stack.environment['PYTHONPATH']}"
        if first:
            stack.books = Books(first[0].books.file)
            stack.environment["SLIPWAY_BUCKETS"] = first[0].environment["SLIPWAY_BUCKETS"]
        first.append(stack)
        return stack

    return made


@pytest.fixture(scope="module")
def first(checkout):
    with checkout() as stack:
        stack.up()
        yield stack


@pytest.fixture(scope="module")
def identity(first):
    return first.slipway("stack", "identity").strip()


def things(stack):
    return {(each["type"], each["id"]) for each in stack.books.all()}


def test_a_second_checkout_is_refused_before_it_touches_anything(first, checkout, identity):
    before = first.books.all()
    with checkout() as second:
        said = second.recover(fails=True)
        assert f"belongs to {identity}" in said and f"--adopt {identity}" in said and "Nothing was touched" in said
        assert first.books.all() == before


def test_one_that_goes_on_by_hand_takes_in_nothing_and_its_destroy_leaves_the_first_whole(first, checkout):
    before = first.books.all()
    with checkout() as second:
        assert "AlreadyExists" in second.up(fails=True)
        assert "Nothing was touched" in second.recover(fails=True)
        second.destroy()
    assert [each for each in before if each not in first.books.all()] == []
    assert things(first) == {(each["type"], each["id"]) for each in before}
    first.up("--expect-no-changes")


def test_the_state_that_was_lost_is_found_again_by_its_identity_and_by_no_other(first, checkout, identity):
    before = things(first)
    with checkout() as again:
        assert f"belongs to {identity}, not to another" in again.recover("--adopt", "another", fails=True)
        assert things(first) == before
        print(again.recover("--adopt", identity))
        again.up()
        assert again.slipway("stack", "identity").strip() == identity
        assert before <= things(again) and {kind for kind, _ in things(again) - before} <= MADE_AGAIN
        assert [each for each in again.astray() if not any(kind in each for kind in MADE_AGAIN)] == []
