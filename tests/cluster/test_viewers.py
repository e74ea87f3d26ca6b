"""What a preview may read (docs/adr/0035), by a real API server's RBAC: what a stack has but Secrets, and no more."""

import pytest

from slipway.simulator.kube.api import Ref
from slipway.simulator.kube.values import plain
from tests.infra.aws.stacks import VARIANTS
from tests.recorder import run_program

RBAC = "rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
KINDS = ("ClusterRole", "ClusterRoleBinding")


@pytest.fixture(scope="module")
def viewer(api):
    """Whether a member of the viewers' group may do something, as the server says with the example's own objects."""
    program = run_program(**VARIANTS["example"]())
    objects = [{"apiVersion": RBAC, "kind": kind, **plain(program.inputs_of("viewers", kind))} for kind in KINDS]
    for each in objects:
        api.apply(each, "test-viewers")
    group = objects[1]["subjects"][0]["name"]

    def may(verb, api_group, resource, part=""):
        asked = {"verb": verb, "group": api_group, "resource": resource, "subresource": part, "namespace": "slipway"}
        spec = {"user": "preview", "groups": [group, "system:authenticated"], "resourceAttributes": asked}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return api.create(REVIEWS, review)["status"]["allowed"]

    yield objects[0]["rules"], may
    for each in objects:
        api.delete(Ref.to(each))


def test_a_viewer_reads_every_kind_of_the_stack(viewer):
    rules, may = viewer
    read = [(group, kind) for rule in rules for group in rule["apiGroups"] for kind in rule["resources"]]
    assert len(read) > 15
    assert [each for each in read if not all(may(verb, *each) for verb in ("get", "list", "watch"))] == []


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
