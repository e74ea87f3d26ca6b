"""Clusters as users have them: nodes without a registry, registries with a password, users that the cluster assigns."""

import base64
import json
import os
import subprocess

import httpx
import pytest
import yaml

from slipway.simulator.kube.api import Ref
from tests.cluster import cluster, debian, dockerd
from tests.cluster.parts.containerd import SOCKET
from tests.cluster.served import building, predict
from tests.cluster.service_image import REGISTRY
from tests.waiting import until

pytestmark = pytest.mark.skipif("SLIPWAY_FULL" not in os.environ, reason="make test-cluster-full")
X = [1, 2, 3, 4]
SERVICES = {"steep": {"rollout": {"deadlineSeconds": 90}}}
# What OpenShift's admission gives a pod of a namespace: a user and a group of the namespace's own range.
ASSIGNED = 1000670000


def pod_spec(api, space):
    return api.get(Ref("apps/v1", "Deployment", space, "steep"))["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def brought(api, docker, tmp_path_factory):
    """A stack whose image is imported into the node."""
    ctr = f"{debian.root()}/usr/bin/ctr --address {SOCKET} --namespace k8s.io images import {{archive}}"
    load = f"nsenter --target {cluster.inside()} --mount {ctr}"
    with building(tmp_path_factory.mktemp("stack") / "brought", docker, SERVICES, load=load) as stack:
        stack.up()
        yield stack
        stack.destroy(fails=None)


def test_an_image_is_brought_to_nodes_without_a_registry_and_never_pulled(brought, api):
    assert predict(api, "brought", "steep", X) == pytest.approx(20)
    (container,) = pod_spec(api, "brought")["containers"]
    assert container["image"].startswith("slipway.local/steep:") and container["imagePullPolicy"] == "Never"
    assert httpx.get(f"http://{REGISTRY}/v2/_catalog").json()["repositories"].count("steep") == 0
    brought.up("--expect-no-changes")


def test_a_command_that_fails_stops_the_update_with_its_words_and_the_old_pods_serve(brought, api):
    works = brought.settings["load"]
    model = brought.program / "models" / "steep" / "model.py"
    before = model.read_text()
    model.write_text(before.replace("SLOPE = 2.0", "SLOPE = 3.0"))
    brought.settings["load"] = "nsenter --target 1 --mount no-such-command {image}"
    brought.write()
    said = brought.up(fails=True)
    assert "no-such-command" in said and "kubernetes.load" in said and "Traceback" not in said
    assert predict(api, "brought", "steep", X) == pytest.approx(20)
    model.write_text(before)
    brought.settings["load"] = works
    brought.write()
    brought.up()


def test_a_pod_whose_user_the_cluster_assigns_serves(brought, api):
    """As on OpenShift: any user in group 0, with the namespace's group on volumes; the admission is a double."""
    spec = pod_spec(api, "brought")
    spec["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec["securityContext"] |= {"runAsUser": ASSIGNED, "runAsGroup": 0, "fsGroup": ASSIGNED}
    about = {"name": "assigned", "namespace": "brought"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {**spec, "restartPolicy": "Never"}}
    api.apply(pod, "test")
    try:
        until(lambda: ready(api, "assigned"), 60, otherwise=api.log("brought", "assigned", "service", 20))
        assert api.get(Ref.to(pod))["spec"]["securityContext"]["runAsUser"] == ASSIGNED
    finally:
        api.delete(Ref.to(pod), "Background")


def ready(api, name):
    status = api.get(Ref("v1", "Pod", "brought", name))["status"]
    return any((each["type"], each["status"]) == ("Ready", "True") for each in status.get("conditions") or ())


@pytest.fixture(scope="module")
def closed(api, docker, ports, tmp_path_factory):
    """The address of a registry on the node that lets nobody in without a password, and docker is logged in to."""
    place, address = tmp_path_factory.mktemp("closed"), f"127.0.0.1:{next(ports)}"
    (place / "users").write_text(f"{dockerd.USER}:{dockerd.HASHED}\n")
    settings = {
        "version": 0.1, "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(place / "images")}},
        "http": {"addr": f"0.0.0.0:{address[10:]}"},
        "auth": {"htpasswd": {"realm": "team", "path": str(place / "users")}},
    }  # fmt: skip
    (place / "registry.yaml").write_text(yaml.safe_dump(settings))
    inside = ["nsenter", "--target", str(cluster.inside()), "--net"]
    command = [*inside, f"{debian.root()}/usr/bin/docker-registry", "serve", str(place / "registry.yaml")]
    with (place / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            until(lambda: answers(address), 30, otherwise="the registry does not answer")
            docker("login", "--username", dockerd.USER, "--password", dockerd.PASSWORD, address)
            yield address
            docker("logout", address)
        finally:
            server.kill()


def answers(address):
    try:
        return httpx.get(f"http://{address}/v2/", trust_env=False).status_code == 401
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def pulled(closed, api, docker, both, tmp_path_factory):
    """A stack that was not told of the Secret yet; its image is for two processors."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "closed"}}
    login = base64.b64encode(f"{dockerd.USER}:{dockerd.PASSWORD}".encode()).decode()
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred", "namespace": "closed"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json.dumps({"auths": {closed: {"auth": login}}})},
    }  # fmt: skip
    api.apply(space, "test")
    api.apply(secret, "test")
    settings = {"registry": f"{closed}/team", "createNamespace": False}
    hasty = {"steep": {"rollout": {"deadlineSeconds": 20}}}
    image = {"base": both, "python": "3.11", "arch": "amd64,arm64"}
    try:
        with building(tmp_path_factory.mktemp("stack") / "closed", docker, hasty, image, **settings) as stack:
            yield stack
            stack.destroy()
    finally:
        api.delete(Ref.to(space), "Background")


def test_a_registry_with_a_password_is_pulled_from_with_the_secret_that_is_named(pulled, api):
    said = pulled.up(fails=True)
    assert "ImagePull" in said or "ErrImagePull" in said
    pulled.settings["pullSecret"] = "regcred"
    pulled.set("steep", **SERVICES["steep"])
    pulled.up()
    assert predict(api, "closed", "steep", X) == pytest.approx(20)
    assert pod_spec(api, "closed")["imagePullSecrets"] == [{"name": "regcred"}]


def test_an_image_for_two_processors_goes_to_nodes_of_either_and_runs_on_this_one(pulled, api, docker):
    spec = pod_spec(api, "closed")
    (container,) = spec["containers"]
    described = json.loads(docker("manifest", "inspect", "--insecure", container["image"]))["manifests"]
    assert [each["platform"]["architecture"] for each in described] == ["amd64", "arm64"]
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]}]
    assert predict(api, "closed", "steep", X) == pytest.approx(20)
    pulled.up("--expect-no-changes")
