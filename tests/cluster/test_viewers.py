"""What a preview may read (docs/adr/0035), by a real API server's RBAC: what a stack has but Secrets, and no more."""

import json
from contextlib import contextmanager

import pytest
import yaml

from slipway.simulator.kube.api import Ref
from slipway.simulator.kube.values import plain
from tests.cluster import places
from tests.cluster.conftest import answer, configure
from tests.infra.aws import stacks as aws
from tests.infra.gcp import stacks as gcp
from tests.recorder import run_program
from tests.waiting import until

RBAC = "rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
KINDS = ("ClusterRole", "ClusterRoleBinding")


# What has viewers: a group of the access entries on AWS, the identity of GitHub's jobs on Google Cloud.
CLOUDS = {"aws": aws.example, "gcp": gcp.production}
EVERYONE = ["system:authenticated"]  # in what else anyone is that has logged in


@pytest.fixture(scope="module", params=CLOUDS)
def viewer(request, api):
    """What the viewers' rules are, whether one may do something, as the server says with the stack's own objects, who
    that is: (user, groups), and the namespace of a stack for it."""
    program = run_program(**CLOUDS[request.param]())
    objects = [{"apiVersion": RBAC, "kind": kind, **plain(program.inputs_of("viewers", kind))} for kind in KINDS]
    for each in objects:
        api.apply(each, "test-viewers")
    (subject,) = objects[1]["subjects"]
    own = subject["kind"] == "User"
    user, groups = (subject["name"], EVERYONE) if own else ("preview", [subject["name"], *EVERYONE])

    def may(verb, api_group, resource, part="", by=user):
        asked = {"verb": verb, "group": api_group, "resource": resource, "subresource": part, "namespace": "slipway"}
        spec = {"user": by, "groups": EVERYONE if by != user else groups, "resourceAttributes": asked}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return api.create(REVIEWS, review)["status"]["allowed"]

    first = objects[0]["rules"][0]
    until(lambda: may("get", first["apiGroups"][0], first["resources"][0]), 10, "the server has not read its new rules")
    yield objects[0]["rules"], may, (user, groups), f"looked-at-{request.param}"
    for each in objects:
        api.delete(Ref.to(each))


def test_a_viewer_reads_every_kind_of_the_stack_and_another_user_none(viewer):
    rules, may, *_ = viewer
    read = [(group, kind) for rule in rules for group in rule["apiGroups"] for kind in rule["resources"]]
    assert len(read) > 15
    assert [each for each in read if not all(may(verb, *each) for verb in ("get", "list", "watch"))] == []
    assert [each for each in read if may("get", *each, by="principal://of-another-job")] == []


@pytest.mark.parametrize("kind", ["configmaps", "pods", "namespaces"])
@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete", "deletecollection"])
def test_a_viewer_changes_nothing(verb, kind, viewer):
    assert not viewer[1](verb, "", kind)


@pytest.mark.parametrize(
    ("kind", "part"), [("secrets", ""), ("pods", "log"), ("pods", "exec"), ("pods", "portforward"), ("nodes", "proxy")]
)
@pytest.mark.parametrize("verb", ["get", "list", "create"])
def test_a_viewer_sees_no_secret_no_log_and_gets_into_no_pod(verb, kind, part, viewer):
    assert not viewer[1](verb, "", kind, part)


@pytest.fixture(scope="module")
def stack(new_stack, plugin, viewer):
    """A stack of its own for each viewer: a test changes it by hand."""
    if plugin is None:
        pytest.skip("no real Kubernetes plugin: make plugins")
    stack = new_stack(viewer[3])
    stack.up()
    return stack


@pytest.fixture(scope="module")
def calling_as(stack, tmp_path_factory):
    """Has the plugin call the API server as a user of some groups."""

    @contextmanager
    def calling(user, groups):
        config = yaml.safe_load(places.kubeconfig().read_text())
        config["users"][0]["user"] |= {"as": user, "as-groups": groups}
        file = tmp_path_factory.mktemp("kubeconfig") / "config.yaml"
        file.write_text(yaml.safe_dump(config))
        before = stack.environment["KUBECONFIG"]
        stack.environment["KUBECONFIG"] = str(file)
        try:
            yield
        finally:
            stack.environment["KUBECONFIG"] = before

    return calling


def test_with_the_real_plugin_a_viewer_previews_what_changes_and_what_does_not(viewer, stack, calling_as):
    with calling_as(*viewer[2]):
        stack.preview("--refresh=false", "--expect-no-changes")
        configure(stack, version="2")
        said = stack.preview("--refresh=false", "--diff")
        assert 'value: "1" => "2"' in said
        assert "~ 1 to update" in said
        assert "forbidden" in stack.up(fails=True)
    configure(stack, version="1")
    assert answer(stack.port) == "1"


def test_with_the_real_plugin_a_viewer_finds_drift_and_reads_no_secret(viewer, stack, calling_as, api):
    with calling_as(*viewer[2]):
        assert json.loads(stack.slipway("drift", "--json")) == []
        deployment = Ref("apps/v1", "Deployment", viewer[3], "web")
        api.patch(deployment, {"spec": {"minReadySeconds": 1, "replicas": 2}})
        (found,) = json.loads(stack.slipway("drift", "--json", fails=True))
        assert found["what"] == "changed"
        assert "web" in found["resource"]
        assert "forbidden" in stack.slipway("drift", "--all", fails=True)
    with calling_as("nobody", EVERYONE):
        assert "forbidden" in stack.slipway("drift", fails=True)
