"""The Kubernetes stand-in's own arithmetic: secrets, what is unknown, what differs, what is ready. No cluster."""

import pytest
from pulumi.runtime.rpc import UNKNOWN

from slipway.simulator.kube import values, waits
from slipway.simulator.kube.api import Api
from slipway.simulator.kube.target import Target, is_another_cluster
from slipway.simulator.kube.views import left_to_others, preview


def test_a_secret_in_a_list_is_a_secret_in_what_the_server_returns():
    given = {"env": [{"name": "a", "value": values.secret("s3cret")}]}
    assert values.plain(given) == {"env": [{"name": "a", "value": "s3cret"}]}
    same = values.sealed({"env": [{"name": "a", "value": "s3cret"}]}, given)
    assert same["env"][0]["value"] == values.secret("s3cret")
    longer = values.sealed({"env": [{"name": "b"}, {"name": "a", "value": "s3cret"}]}, given)
    assert longer["env"] == values.secret([{"name": "b"}, {"name": "a", "value": "s3cret"}])


class Server:
    """A double that takes everything, and adds what a server adds."""

    def get(self, _ref):
        return None

    def apply(self, given, _manager, **_how):
        return {**given, "metadata": {**given["metadata"], "uid": "1"}}


def test_a_preview_of_a_secret_keeps_its_data_a_secret_and_knows_nothing_of_what_the_server_adds():
    given = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"key": "dGV4dA=="}}
    found = preview(Target(api=Server()), given, "pulumi-kubernetes-1", is_new=True)
    assert found["data"] == values.secret({"key": "dGV4dA=="})
    assert found["metadata"] == {"name": "a", "uid": UNKNOWN}


def test_an_unknown_anywhere_makes_the_whole_unknown():
    assert not values.is_known({"spec": {"containers": [{"image": UNKNOWN}]}})
    assert values.is_known({"spec": {"containers": [{"image": "a"}]}})


def test_of_what_is_there_only_the_fields_of_the_program_are_compared():
    live = {"spec": {"replicas": 2, "paused": False, "list": [{"a": 1, "b": 2}]}, "status": {}}
    given = {"spec": {"replicas": 1, "list": [{"a": 1}], "empty": {}, "gone": 3}}
    assert values.pruned(live, given) == {"spec": {"replicas": 2, "list": [{"a": 1}], "empty": {}}}


def test_changes_are_named_by_their_path():
    old = {"metadata": {"labels": {"a/b": "1"}}, "spec": {"list": [{"x": 1}, {"x": 2}], "old": 1}}
    new = {"metadata": {"labels": {"a/b": "2"}}, "spec": {"list": [{"x": 1}, {"x": 3}], "new": 1}}
    assert values.changes(old, new) == [
        ('metadata.labels["a/b"]', "update"),
        ("spec.list[1].x", "update"),
        ("spec.new", "add"),
        ("spec.old", "delete"),
    ]


def deployment(**status):
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "generation": 2, "annotations": {}},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, **status},
    }


@pytest.mark.parametrize(
    ("status", "lacks"),
    [
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, ""),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, "2 of 2 replicas are up to date, 1 are avail"),
        ({"replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, "1 old ones are still there"),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, "up to date"),
        ({"conditions": [{"reason": "ProgressDeadlineExceeded", "message": "too late"}]}, "too late"),
    ],
)  # fmt: skip
def test_a_deployment_is_ready_when_every_replica_is_new_and_available(status, lacks):
    found = waits.lacks(None, deployment(**status))
    assert lacks in found if lacks else not found


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("condition=Programmed", True),
        ("condition=Accepted", False),
        ("condition=Accepted=False", True),
        ("jsonpath={.status.phase}=Bound", True),
        ("jsonpath={.status.phase}=Lost", False),
        ("jsonpath={.status.addresses[0].value}", True),
        ("jsonpath={.status.addresses[3].value}", False),
        ('["condition=Programmed", "jsonpath={.status.phase}=Lost"]', False),
    ],
)
def test_wait_for_takes_conditions_and_json_paths(wanted, met):
    conditions = [{"type": "Programmed", "status": "True"}, {"type": "Accepted", "status": "False"}]
    status = {"phase": "Bound", "addresses": [{"value": "10.0.0.1"}], "conditions": conditions}
    live = {"kind": "Gateway", "metadata": {"annotations": {waits.WAIT_FOR: wanted}}, "status": status}
    assert bool(waits.lacks(None, live)) != met


def test_a_wait_for_that_is_neither_is_refused_with_its_annotation():
    live = {"kind": "Gateway", "metadata": {"annotations": {waits.WAIT_FOR: "phase=Bound"}}, "status": {}}
    with pytest.raises(ValueError, match="pulumi.com/waitFor"):
        waits.lacks(None, live)


def test_skip_await_waits_for_nothing():
    live = deployment()
    live["metadata"]["annotations"][waits.SKIP] = "true"
    assert waits.lacks(None, live) == ""


def kubeconfig(server, user="admin"):
    return f"""
clusters: [{{name: c, cluster: {{server: "{server}"}}}}]
contexts: [{{name: x, context: {{cluster: c, user: {user}}}}}]
current-context: x
users: [{{name: {user}, user: {{}}}}]
"""


def test_another_cluster_is_told_by_its_settings_or_its_identifier():
    here = {"kubeconfig": kubeconfig("https://a")}
    assert not is_another_cluster(here, {"kubeconfig": kubeconfig("https://a", user="other")})
    assert is_another_cluster(here, {"kubeconfig": kubeconfig("https://b")})
    assert not is_another_cluster(here, {"kubeconfig": UNKNOWN})
    named = {**here, "clusterIdentifier": "one"}
    assert not is_another_cluster(named, {"kubeconfig": kubeconfig("https://b"), "clusterIdentifier": "one"})
    assert is_another_cluster(named, {**here, "clusterIdentifier": "two"})
    assert not is_another_cluster(here, named)
    assert not is_another_cluster(named, here)
    assert is_another_cluster(here, {"kubeconfig": kubeconfig("https://b"), "clusterIdentifier": "one"})


@pytest.mark.parametrize("text", ["", "just words", "clusters: []\ncontexts: []\ncurrent-context: a\nusers: []"])
def test_a_kubeconfig_that_can_not_be_used_says_so(text):
    with pytest.raises(ValueError, match="kubeconfig"):
        Api(text)


def owned(manager, *fields):
    return {"manager": manager, "fieldsV1": {"f:spec": {f"f:{each}": {} for each in fields}}}


@pytest.mark.parametrize(
    ("managers", "left"),
    [
        ([owned("pulumi-kubernetes-1", "replicas")], {"replicas": 2, "paused": False}),
        ([owned("pulumi-kubernetes-1", "paused"), owned("kube-controller-manager", "replicas")], {"paused": False}),
        ([owned("kube-controller-manager", "paused")], {"replicas": 2, "paused": False}),
    ],
)
def test_an_ignored_field_is_left_to_who_has_it_by_now(managers, left):
    given = {"spec": {"replicas": 2, "paused": False}}
    live = {"metadata": {"managedFields": managers}}
    assert left_to_others(given, live, ["spec.replicas"], "pulumi-kubernetes-1") == {"spec": left}
    assert given == {"spec": {"replicas": 2, "paused": False}}
