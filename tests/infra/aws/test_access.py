"""Who is let into the cluster: the deployer before anything asks it; viewers see what a stack has and no Secret."""

import json
import re

import pytest
from slipway.infra.platforms.aws import access
from slipway.infra.platforms.aws.access import wait_for
from slipway.infra.resources.command import SlipwayError
from slipway.infra.workload.viewers import VIEWED

from slipway.ops.state.drift import UNREAD
from tests.infra.aws.stacks import VARIANTS

KUBECTL = """#!/bin/sh
cat "$2" >> {folder}/asked
[ $(wc -l < {folder}/asked) -ge {times} ] && exit 0
echo 'error: You must be logged in to the server (Unauthorized)' >&2
exit 1
"""


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """A double that lets in at the given question and writes down the kubeconfigs that it was asked with."""
    monkeypatch.setattr(access.time, "sleep", lambda _: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def let_in(times):
        file = tmp_path / "kubectl"
        file.write_text(KUBECTL.format(folder=tmp_path, times=times))
        file.chmod(0o755)
        return tmp_path / "asked"

    return let_in


def test_the_deployer_waits_until_the_cluster_lets_it_in_and_says_why(kubectl, capfd):
    asked = kubectl(3)
    wait_for("{}\n")
    assert asked.read_text() == "{}\n" * 3
    assert capfd.readouterr().err.count("waiting for the cluster to let the deployer in: error: You must be") == 2


def test_a_deployer_that_is_never_let_in_is_told_whose_credentials_it_takes(kubectl):
    kubectl(99)
    with pytest.raises(SlipwayError, match=r"Unauthorized[\s\S]*aws\.cluster\.deployer"):
        wait_for("{}\n", seconds=0.5)


def test_without_kubectl_the_refusal_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SlipwayError, match="kubectl is not on PATH"):
        wait_for("{}\n")


@pytest.mark.parametrize("name", ["dev", "example", "production"])
def test_nothing_asks_the_cluster_before_it_lets_the_deployer_in(name, variant):
    program = variant(name)
    assert {"AccessPolicyAssociation slipway-deploy", "AccessEntry slipway-deploy"} <= program.waits_for(
        "ClusterAccess", "cluster"
    )
    assert "ClusterAccess cluster" in program.waits_for("kubernetes", "cluster")
    assert "ClusterAccess cluster" in program.waits_for("Deployment", "digits")


def test_a_viewer_is_a_group_and_has_no_policy_of_eks(variant):
    program = variant("example")
    entry = program.inputs_of("slipway-preview", "AccessEntry")
    assert entry["kubernetesGroups"] == ["slipway-viewers"]
    assert "kubernetesGroups" not in program.inputs_of("slipway-deploy", "AccessEntry")
    assert {each.name for each in program.of_type("AccessPolicyAssociation")} == {"slipway-deploy"}
    (subject,) = program.inputs_of("viewers", "ClusterRoleBinding")["subjects"]
    assert subject == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "slipway-viewers"}


def plural(kind):
    name = kind.lower()
    return re.sub("y$", "ie", name) + ("es" if name.endswith("s") else "s")


@pytest.mark.parametrize("name", VARIANTS)
def test_a_viewer_reads_every_kind_that_a_stack_has_but_those_that_no_preview_reads(name, variant):
    rules = variant("example").inputs_of("viewers", "ClusterRole")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    read = {(group, kind) for rule in rules for group in rule["apiGroups"] for kind in rule["resources"]}
    assert not any(kind in ("secrets", "*") or group == "*" for group, kind in read)
    for each in variant(name).declared:
        if each.typ.startswith("kubernetes:") and each.typ not in UNREAD:
            group, kind = each.typ.split(":")[1].rpartition("/")[0].removeprefix("core"), each.typ.split(":")[2]
            assert (group, plural(kind)) in read, f"{each.typ} {each.name}"


def test_what_is_viewed_of_kubernetes_holds_no_secret():
    assert not {"secrets", "pods/log", "pods/exec"} & {kind for kinds in VIEWED.values() for kind in kinds}
    assert json.dumps(sorted(UNREAD)) == json.dumps(
        ["aws:budgets/budget:Budget", "gcp:billing/budget:Budget", "kubernetes:core/v1:Secret",
         "kubernetes:helm.sh/v3:Release"]
    )  # fmt: skip
