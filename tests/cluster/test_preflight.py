"""The preflight of a cluster that is there, before a real API server."""

import pytest
import yaml
from slipway.infra.config.stack import StackConfig

from slipway.ops.preflight import ask
from slipway.ops.preflight.checks import run
from slipway.simulator.kube.api import ApiError, Ref
from tests.callers import KEY
from tests.cluster import places
from tests.cluster.crds import definitions, installed
from tests.waiting import until

SPACE = "preflight"
SERVICE = {"model": "models/digits", "image": "registry.example/digits@sha256:" + "a" * 64}
GATEWAY = {"name": "public", "namespace": SPACE}
RBAC = "rbac.authorization.k8s.io/v1"


def said(kubeconfig, service=None, stack="test", **kubernetes):
    """(outcome, text) of the checks that ask the cluster."""
    config = StackConfig.model_validate(
        {
            "platform": "kubernetes",
            "kubernetes": {"kubeconfig": str(kubeconfig), "namespace": SPACE, **kubernetes},
            "apiKeys": {"test": KEY},
            "services": {"digits": {**SERVICE, **(service or {})}},
        }
    )
    found = run(config, ask.answers(config, stack))
    return [(each.outcome, each.says) for each in found if each.check in ("cluster", "rights", "named")]


def failures(*arguments, **kubernetes):
    return [text for outcome, text in said(*arguments, **kubernetes) if outcome == "failed"]


@pytest.fixture(scope="module")
def space(api):
    """The namespace; it goes afterwards."""
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    api.apply(made, "test")
    yield api
    api.delete(Ref.to(made), "Background")


@pytest.fixture
def limited(space, tmp_path):
    """The kubeconfig of somebody who may read Deployments, and nothing else."""
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "limited", "namespace": SPACE}},
        {
            "apiVersion": RBAC, "kind": "Role", "metadata": {"name": "limited", "namespace": SPACE},
            "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]}],
        },
        {
            "apiVersion": RBAC, "kind": "RoleBinding", "metadata": {"name": "limited", "namespace": SPACE},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"},
            "subjects": [{"kind": "ServiceAccount", "name": "limited", "namespace": SPACE}],
        },
    ]  # fmt: skip
    for each in objects:
        space.apply(each, "test")
    path = f"/api/v1/namespaces/{SPACE}/serviceaccounts/limited/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = space.create(path, asked)["status"]["token"]
    content = yaml.safe_load(places.kubeconfig().read_text())
    content["users"][0]["user"] = {"token": token}
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return file


def test_a_cluster_that_has_all_is_all_right(space):
    outcomes = said(places.kubeconfig(), {"scale": {"min": 2}})
    assert {outcome for outcome, _ in outcomes} == {"ok"}
    assert outcomes[0][1].startswith("the cluster runs Kubernetes v1.")


def test_what_the_deployer_may_not_do_is_named_by_kind_and_verb(limited):
    (text,) = failures(limited, createNamespace=False)
    assert "create, patch, delete deployments" in text
    assert "get, list, watch, create, patch, delete secrets" in text
    assert f"in {SPACE}" in text and "RoleBinding" in text


SCALED = {"host": "digits.example.org", "scale": {"min": 1, "max": 3, "on": "inflight"}}
BROUGHT = {"gateway": GATEWAY, "monitoring": "prometheus", "prometheus": "http://prometheus.monitoring:9090"}


def test_kinds_that_settings_need_and_the_cluster_lacks_are_named_with_who_brings_them(space):
    texts = failures(places.kubeconfig(), SCALED, **BROUGHT)
    for kind, bringer in (("HTTPRoute", "Gateway API"), ("ScaledObject", "KEDA"), ("PodMonitor", "operator")):
        (text,) = [each for each in texts if f"has no {kind} " in each]
        assert bringer in text


def test_the_autoscaler_needs_the_metrics_server(space):
    try:
        space.namespaced("metrics.k8s.io/v1beta1", "PodMetrics")
        there = True
    except ApiError:
        there = False
    texts = failures(places.kubeconfig(), {"scale": {"min": 1, "max": 3}})
    assert [text for text in texts if "metrics-server" in text] == ([] if there else texts)


def test_a_namespace_that_should_be_there_and_a_claim_that_is_not_yet_are_told(space):
    (text,) = failures(places.kubeconfig(), namespace="elsewhere", createNamespace=False)
    assert "there is no namespace elsewhere" in text
    texts = said(places.kubeconfig(), models="models")
    assert ("warned", f"there is no claim models in {SPACE} yet (kubernetes.models): pods wait for it") in texts


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({}, "no default one"),
        ({"storageClassName": "gone"}, "no storage class gone"),
        ({"storageClassName": ""}, "wait"),
    ],
)
def test_a_claim_that_is_not_bound_is_told_with_what_its_storage_class_lacks(named, why, space):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **named}
    about = {"name": "models", "namespace": SPACE}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": about, "spec": spec}
    space.apply(claim, "test")
    try:
        until(lambda: space.get(Ref.to(claim))["status"].get("phase") == "Pending", 30)
        (text,) = [text for outcome, text in said(places.kubeconfig(), models="models") if outcome == "warned"]
        assert "is Pending" in text and why in text
    finally:
        space.delete(Ref.to(claim), "Background")
        until(lambda: space.get(Ref.to(claim)) is None, 30)


def test_a_kubeconfig_or_context_that_is_not_there_fails_and_a_silent_cluster_is_unknown(tmp_path):
    (text,) = failures(tmp_path / "none")
    assert "kubernetes.kubeconfig" in text
    (text,) = failures(places.kubeconfig(), context="other")
    assert "kubernetes.context" in text
    content = yaml.safe_load(places.kubeconfig().read_text())
    content["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    silent = tmp_path / "silent"
    silent.write_text(yaml.safe_dump(content))
    ((outcome, text),) = said(silent)
    assert outcome == "unknown" and "does not answer" in text


def test_a_user_that_the_cluster_does_not_know_fails(tmp_path):
    content = yaml.safe_load(places.kubeconfig().read_text())
    content["users"][0]["user"] = {"token": "nobody"}
    file = tmp_path / "stranger"
    file.write_text(yaml.safe_dump(content))
    (text,) = failures(file)
    assert "refuses this kubeconfig's user (401)" in text


@pytest.fixture(scope="module")
def defined(space):
    with installed(space, definitions(), []):
        yield space


def test_kinds_that_have_come_are_seen_and_a_gateway_that_is_not_there_is_told(defined):
    assert failures(places.kubeconfig(), SCALED, **BROUGHT) == [
        f"there is no Gateway {SPACE}/public: name one that is there in kubernetes.gateway"
    ]


def test_a_gateway_without_the_listener_is_told_which_it_has(defined):
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": GATEWAY,
        "spec": {"gatewayClassName": "any", "listeners": [{"name": "web", "port": 80, "protocol": "HTTP"}]},
    }  # fmt: skip
    defined.apply(gateway, "test")
    service = {"host": "digits.example.org"}
    assert failures(places.kubeconfig(), service, gateway={**GATEWAY, "section": "web"}) == []
    (text,) = failures(places.kubeconfig(), service, gateway={**GATEWAY, "section": "https"})
    assert "no listener https: choose of web" in text
