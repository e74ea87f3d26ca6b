"""From a model folder to pods with nothing in between: the program builds the image and pushes it itself."""

import json

import pytest

from slipway.simulator.kube.api import Ref
from tests.cluster.images import BASE
from tests.cluster.served import KEY, address, ask, building, predict
from tests.cluster.service_image import REGISTRY
from tests.waiting import until

SPACE = "built"
X = [1, 2, 3, 4]


@pytest.fixture(scope="module")
def clone(docker, tmp_path_factory):
    """Makes a copy of the project that is told the same."""

    def make():
        services = {"steep": {"scale": {"min": 2}, "rollout": {"deadlineSeconds": 120}}}
        return building(tmp_path_factory.mktemp("stack") / SPACE, docker, services, registry=f"{REGISTRY}/program")

    return make


@pytest.fixture(scope="module")
def stack(clone):
    with clone() as stack:
        yield stack
        stack.destroy(fails=None)


def images(api):
    return {each["spec"]["containers"][0]["image"] for each in api.list("v1", "Pod", SPACE)}


def test_up_builds_pushes_and_serves(stack, api):
    stack.up()
    assert predict(api, SPACE, "steep", X) == pytest.approx(20)
    (image,) = images(api)
    assert image.startswith(f"{REGISTRY}/program/steep@sha256:")


CALL = """
import sys, urllib.request as web
url, key, body = sys.argv[1:]
headers = {"authorization": "Bearer " + key, "content-type": "application/json"}
print(web.urlopen(web.Request(url, body.encode(), headers)).read().decode())
"""


def test_another_pod_of_the_namespace_calls_the_service(stack, api):
    """By its address, as names are not served here. No network policy is enforced in this cluster."""
    url = f"http://{address(api, SPACE, 'steep')}:3000/predict"
    command = ["python3", "-c", CALL, url, KEY, json.dumps({"inputs": {"x": X}})]
    closed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    spec = {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "caller", "image": BASE, "command": command, "securityContext": closed}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "caller", "namespace": SPACE}, "spec": spec}
    api.apply(pod, "test")
    try:
        until(lambda: api.get(Ref.to(pod))["status"]["phase"] in ("Succeeded", "Failed"), 60)
        told = json.loads(api.log(SPACE, "caller", "caller", 20))
        assert told["outputs"]["y"] == pytest.approx([20])
    finally:
        api.delete(Ref.to(pod), "Background")
        until(lambda: api.get(Ref.to(pod)) is None)


def test_up_again_builds_nothing_and_neither_does_another_clone(stack, clone, docker):
    stack.up("--expect-no-changes")
    docker.forget()
    other = clone()
    file = f"Pulumi.{stack.stack}.yaml"
    (other.program / file).write_text((stack.program / file).read_text())
    other.environment |= {key: stack.environment[key] for key in ("PULUMI_BACKEND_URL", "PULUMI_DEBUG_PROVIDERS")}
    other.up("--expect-no-changes")
    assert docker("image", "ls", "--quiet") == ""


def test_another_model_is_another_image_and_rolls(stack, api):
    before = images(api)
    model = stack.program / "models" / "steep" / "model.py"
    model.write_text(model.read_text().replace("SLOPE = 2.0", "SLOPE = 3.0"))
    stack.up()
    assert predict(api, SPACE, "steep", X) == pytest.approx(30)
    assert not images(api) & before or len(images(api)) == 2  # an old pod may still drain


def test_a_closed_in_pod_has_room_for_explanations_in_a_process_of_their_own(stack, api):
    where = f"http://{address(api, SPACE, 'steep')}:3000"
    status, text = ask(f"{where}/explain", json.dumps({"inputs": {"x": X}}))
    assert status == 200, text
