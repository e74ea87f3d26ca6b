"""Killed updates and dying plugins on the cluster: `slipway recover` and `up` put cluster and state in order.

The 50 kills are in earnest.py.
"""

import pytest

from slipway.simulator.kube.api import Ref
from tests.cluster.kills import UPDATES, Victim, rounds

CODE = Ref("v1", "ConfigMap", "kills", "web-code")


@pytest.fixture(scope="module")
def plugin():
    """The stand-in: it dies at a chosen moment."""


@pytest.fixture(scope="module")
def victim(new_stack, api, ports):
    stack = new_stack("kills")
    return Victim(api, stack, (stack.port, next(ports)))


def test_kills_at_random_moments_leave_a_state_that_converges_without_orphan_or_duplicate(victim):
    outcomes = rounds(victim, len(UPDATES), seed=3, say=print)
    assert [str(each) + each.problem + str(each.astray) for each in outcomes if not each.good] == []


@pytest.fixture
def empty(victim):
    victim.stack.destroy()
    victim.named = 0
    victim.configure()
    return victim.stack


def test_what_a_dying_plugin_has_made_unrecorded_is_found_by_its_name_and_kept(victim, empty, api):
    empty.start("die@2")
    empty.up(fails=True)
    empty.start()
    before = api.get(CODE) or api.get(Ref("v1", "Secret", "kills", "web-token"))
    assert "imported" in empty.recover()
    empty.up()
    assert victim.astray() == []
    after = api.get(Ref(before["apiVersion"], before["kind"], "kills", before["metadata"]["name"]))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_what_has_the_name_but_not_the_stacks_labels_is_never_taken_over(empty, api):
    empty.start("die@1")
    empty.up(fails=True)
    empty.start()
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CODE.name, "namespace": CODE.namespace}}
    api.apply({**foreign, "data": {"whose": "another's"}}, "somebody")
    assert "code" not in empty.recover()
    assert not any(each.get("id") == "kills/web-code" for each in empty.resources())
    assert "ConfigMap kills/web-code already exists: import it" in empty.up(fails=True)
    assert api.get(CODE)["data"] == {"whose": "another's"}
    api.delete(CODE)
    empty.up()
