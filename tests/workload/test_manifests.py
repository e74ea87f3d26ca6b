"""The manifests of every example stack before checkers that nobody here wrote; a twin that is bad on purpose trips."""

import copy

import pytest

from slipway.simulator import checkov
from tests.workload.examples import STACKS, manifests
from tests.workload.schemas import validated

VERSIONS = ("1.34", "1.35", "1.37")
# Custom resources, which the schemas of Kubernetes do not hold; the API server checks them (tests/cluster).
CUSTOM = ("HTTPRoute", "PodMonitor", "PrometheusRule", "ScaledObject")
# What checkov finds and is as it should be. (A pull policy of IfNotPresent it takes, as images are named by digest.)
ACCEPTED = {"CKV_K8S_11": "no CPU limit: it would stop the process in the middle of requests while the cores idle"}


def every():
    return [(stack, each) for stack in STACKS for each in manifests(stack)]


def found_by_checkov(objects):
    resources = [{"type": f"kubernetes:{each['apiVersion']}:{each['kind']}", "inputs": each} for each in objects]
    return checkov.check(resources)


def bad_twin():
    """The largest stack with its guards taken away."""
    objects = copy.deepcopy([each for each in manifests("public") if each["kind"] == "Deployment"])
    for each in objects:
        pod = each["spec"]["template"]["spec"]
        del pod["securityContext"]
        pod |= {"hostNetwork": True, "automountServiceAccountToken": True}
        (container,) = pod["containers"]
        container["securityContext"] = {"privileged": True}
        container["image"] = "digits:latest"
        for key in ("resources", "livenessProbe", "readinessProbe"):
            del container[key]
    return objects


@pytest.fixture(scope="module")
def findings():
    return found_by_checkov([each for _, each in every()])


def test_checkov_finds_nothing_but_what_is_accepted(findings):
    print(f"\ncheckov: {findings.passed} passed, {len(findings.failed)} failed in {len(every())} objects")
    assert findings.uncounted == []
    assert findings.passed > 300
    assert [each for each in findings.failed if each[0] not in ACCEPTED] == []


def test_nothing_is_accepted_that_is_not_found(findings):
    assert sorted(ACCEPTED.keys() - findings.ids) == []


def test_checkov_trips_over_the_bad_twin():
    wanted = {
        "CKV_K8S_16", "CKV_K8S_19", "CKV_K8S_8", "CKV_K8S_9", "CKV_K8S_14", "CKV_K8S_12", "CKV_K8S_13", "CKV_K8S_10",
        "CKV_K8S_20", "CKV_K8S_22", "CKV_K8S_28", "CKV_K8S_31", "CKV_K8S_37", "CKV_K8S_38", "CKV_K8S_40", "CKV_K8S_43",
    }  # fmt: skip
    assert sorted(wanted - found_by_checkov(bad_twin()).ids) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schemas_of_kubernetes_take_every_object(version, tmp_path):
    objects = [each for _, each in every() if each["kind"] not in CUSTOM]
    assert validated(objects, version, tmp_path) == ""


def test_the_schemas_refuse_a_field_that_does_not_exist_and_a_wrong_type(tmp_path):
    for change in ({"replicsa": 2}, {"replicas": "two"}):
        (good, *_) = bad_twin()
        bad = {**good, "spec": {**good["spec"], **change}}
        assert next(iter(change)) in validated([bad], VERSIONS[-1], tmp_path)


def test_what_the_schemas_do_not_hold_is_known():
    others = {each["kind"] for _, each in every() if "." in each["apiVersion"] and ".k8s.io/" not in each["apiVersion"]}
    assert others | {"HTTPRoute"} == set(CUSTOM)
