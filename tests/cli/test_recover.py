"""`slipway recover` without an engine: what it finds, leaves alone and refuses."""

import json
import os
import socket
import time

import pytest

from slipway.ops.state import adopt, recover
from slipway.pipeline.errors import PipelineError

STACK = "urn:pulumi:dev::slipway::pulumi:pulumi:Stack::slipway-dev"
VPC = "urn:pulumi:dev::slipway::aws:ec2/vpc:Vpc::vpc"


@pytest.fixture
def backend(tmp_path, monkeypatch):
    """An empty file backend and a project; the engine is out of reach."""
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    monkeypatch.setenv("PATH", str(tmp_path))
    for folder in ("stacks/slipway", "locks/organization/slipway/dev", "history/slipway/dev"):
        (tmp_path / ".pulumi" / folder).mkdir(parents=True)
    return tmp_path / ".pulumi"


def write_state(backend, resources=(), pending=()):
    latest = {"resources": list(resources), "pending_operations": list(pending)}
    (backend / "stacks/slipway/dev.json").write_text(json.dumps({"checkpoint": {"latest": latest}}))


def write_lock(backend, pid, hostname=None):
    lock = backend / "locks/organization/slipway/dev/1.json"
    lock.write_text(json.dumps({"pid": pid, "hostname": hostname or socket.gethostname()}))
    return lock


def resource(urn, **more):
    return {"urn": urn, "type": urn.split("::")[2], "custom": True, **more}


def pending(urn):
    return {"type": "creating", "resource": resource(urn)}


def test_where_nothing_is_wrong_it_is_silent_quick_and_asks_no_engine(backend):
    write_state(backend, [resource(STACK), resource(VPC, parent=STACK)])
    started = time.monotonic()
    assert list(recover.recover_stack("dev")) == []
    assert time.monotonic() - started < 0.3


def test_a_stack_that_is_not_there_is_in_order(backend):
    assert list(recover.recover_stack("dev")) == []


def test_the_lock_of_a_dead_owner_is_removed_and_named(backend):
    lock = write_lock(backend, 2**22 + 1)
    (line,) = recover.recover_stack("dev")
    assert lock.name in line
    assert not lock.exists()


@pytest.mark.parametrize("owner", [{"pid": 1, "hostname": "elsewhere"}, {"pid": "?"}])
def test_a_lock_that_may_be_alive_is_left_alone(backend, owner):
    lock = write_lock(backend, **owner)
    write_state(backend, [resource(STACK)], [pending(VPC)])
    before = (backend / "stacks/slipway/dev.json").read_bytes()
    with pytest.raises(PipelineError, match="being updated by another process"):
        list(recover.recover_stack("dev"))
    assert lock.exists()
    assert (backend / "stacks/slipway/dev.json").read_bytes() == before


def test_a_live_engines_lock_is_left_alone(backend, monkeypatch):
    monkeypatch.setattr(recover.psutil.Process, "name", lambda _: "pulumi")
    lock = write_lock(backend, os.getpid())
    write_state(backend, [resource(STACK)], [pending(VPC)])
    with pytest.raises(PipelineError, match="nothing was touched"):
        list(recover.recover_stack("dev"))
    assert lock.exists()


def test_attributes_that_were_cut_off_are_removed_as_the_engine_stumbles_over_them(backend):
    write_state(backend, [resource(STACK)])
    cut, whole = (backend / f"stacks/slipway/dev.json{each}.attrs" for each in ("", ".bak"))
    cut.write_text("")
    whole.write_text("{}")
    (line,) = recover.recover_stack("dev")
    assert "dev.json.attrs" in line
    assert not cut.exists()
    assert whole.exists()


def test_a_state_that_is_cut_off_is_refused_with_its_backup(backend):
    (backend / "stacks/slipway/dev.json").write_text('{"checkpoint": {"lat')
    with pytest.raises(PipelineError, match=r"recover --backup"):
        list(recover.recover_stack("dev"))


@pytest.mark.parametrize(
    "resources",
    [
        [resource(VPC, parent=STACK), resource(STACK)],
        [resource(STACK), resource(VPC, dependencies=["urn:gone"])],
        [resource(STACK), resource(VPC, provider="urn:gone::1")],
    ],
)
def test_a_state_out_of_order_is_seen(resources):
    assert not recover._in_order(resources)


def test_a_pending_create_that_can_not_be_looked_up_is_refused_with_the_way_on(backend, monkeypatch):
    unknown = "urn:pulumi:dev::slipway::aws:sqs/queue:Queue::www"
    write_state(backend, [resource(STACK)], [pending(unknown)])
    exported = {"deployment": {"resources": [resource(STACK)], "pending_operations": [pending(unknown)]}}
    monkeypatch.setattr(recover, "export_state", lambda _: exported)
    with pytest.raises(PipelineError, match=r"www.*--import-pending-creates"):
        list(recover.recover_stack("dev"))


def found(id_, **more):
    return adopt.Found(record=resource(VPC, **more), id=id_)


def test_what_was_found_is_recorded_without_what_came_after_it():
    resources = [resource(STACK)]
    assert adopt._place(found("vpc-2", parent=STACK, dependencies=[STACK, "urn:later"]), resources)
    assert resources[1]["id"] == "vpc-2"
    assert resources[1]["dependencies"] == [STACK]


def test_what_is_recorded_under_its_id_stays_as_it_is():
    resources = [resource(STACK), resource(VPC, id="vpc-1", inputs={"a": 1})]
    assert not adopt._place(found("vpc-1"), resources)
    assert resources == [resource(STACK), resource(VPC, id="vpc-1", inputs={"a": 1})]


def test_a_replacement_that_was_made_takes_the_place_of_what_was_deleted_for_it():
    subnet = resource("urn:pulumi:dev::slipway::aws:ec2/subnet:Subnet::subnet", dependencies=[VPC])
    resources = [resource(STACK), resource(VPC, id="web", pendingReplacement=True), subnet]
    assert adopt._place(found("web"), resources)
    assert [each.get("id") for each in resources] == [None, "web", None]
    assert "pendingReplacement" not in resources[1]
    assert recover._in_order(resources)


def test_what_a_replacement_was_made_for_is_still_to_be_deleted():
    resources = [resource(STACK), resource(VPC, id="old")]
    assert adopt._place(found("new"), resources)
    assert [(each.get("id"), each.get("delete", False)) for each in resources[1:]] == [("new", False), ("old", True)]


def test_a_foreign_object_is_dropped_and_the_record_before_it_comes_back():
    old = resource(VPC, id="web", pendingReplacement=True)
    resources = [resource(STACK), dict(old)]
    assert adopt._place(found("web"), resources)
    assert list(adopt._without({VPC}, resources, {VPC: old})) == [resource(STACK), old]


def test_an_object_is_foreign_without_the_labels_that_the_stack_gives():
    wanted = {"inputs": {"metadata": {"name": "web", "labels": {"slipway-stack": "a"}}}}
    assert adopt._is_foreign(wanted, {"outputs": {"metadata": {"name": "web"}}})
    assert adopt._is_foreign(wanted, {"outputs": {"metadata": {"labels": {"slipway-stack": "b"}}}})
    assert not adopt._is_foreign(wanted, {"outputs": {"metadata": {"labels": {"slipway-stack": "a", "more": "c"}}}})
    assert not adopt._is_foreign({"inputs": {"metadata": "a text"}}, {"outputs": {}})


def test_what_the_update_never_came_to_is_not_taken_into_the_state():
    there = {"urn:stack", "urn:component", "urn:provider", "urn:provider::id"}
    begun = {"parent": "urn:component", "provider": "urn:provider::id"}
    assert adopt._was_begun(begun, there)
    assert adopt._was_begun({"parent": "", "provider": ""}, there)
    assert not adopt._was_begun({**begun, "parent": "urn:later component"}, there)
    assert not adopt._was_begun({**begun, "provider": "urn:provider::unknown yet"}, there)


def applied(*managers, recorded="pulumi-kubernetes-new"):
    fields = [{"manager": each} for each in managers]
    return {"outputs": {"__fieldManager": recorded, "metadata": {"managedFields": fields}}}


def test_an_object_goes_on_under_the_manager_that_created_it():
    there = applied("kube-controller-manager", "pulumi-kubernetes-old")
    assert adopt._keeps_its_manager(there)
    assert there["outputs"]["__fieldManager"] == "pulumi-kubernetes-old"
    assert not adopt._keeps_its_manager(there)


@pytest.mark.parametrize(
    "there",
    [
        applied("kubectl"),
        applied("pulumi-kubernetes-1", "pulumi-kubernetes-2"),  # which of them nobody can tell
        {"outputs": {"metadata": {"managedFields": [{"manager": "pulumi-kubernetes-old"}]}}},
        {"outputs": {}},
        {},
    ],
)
def test_where_no_manager_is_known_nothing_is_changed(there):
    before = json.dumps(there)
    assert not adopt._keeps_its_manager(there)
    assert json.dumps(there) == before
