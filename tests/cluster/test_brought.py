"""Clusters as users have them: nodes without a registry, registries with a password, users that the cluster assigns."""

import base64
import json
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


def test_a_registry_with_a_password_is_pulled_from_with_the_secret_that_is_named(
    brought, closed, api, docker, tmp_path
):
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
    try:
        hasty = {"steep": {"rollout": {"deadlineSeconds": 20}}}
        with building(tmp_path / "closed", docker, hasty, **settings) as stack:
            said = stack.up(fails=True)
            assert "ImagePull" in said or "ErrImagePull" in said
            stack.settings["pullSecret"] = "regcred"
            stack.write()
            stack.up()
            assert predict(api, "closed", "steep", X) == pytest.approx(20)
            assert pod_spec(api, "closed")["imagePullSecrets"] == [{"name": "regcred"}]
            stack.destroy()
    finally:
        api.delete(Ref.to(space), "Background")
