"""`modelFrom: volume` on real pods: the program copies the model into a bucket, each pod's init container fetches it.

The bucket is a double of S3 (moto) on the node, where pods are known by keys in their environment: what a cloud does
for their identity is not shown. Nor is the network policy enforced here.
"""

import json
import subprocess
import time

import httpx
import pytest
from slipway.infra.home import ROOT, home

from slipway.ops.models.virtualenvs import environment
from slipway.simulator.kube.api import Ref
from tests.callers import access, entry
from tests.cluster import cluster, places
from tests.cluster.conftest import PROGRAMS, configure, on
from tests.cluster.served import KEY, predict
from tests.cluster.service_image import REGISTRY

SPACE, NAME = "fetched", "plane"
X = [1, 2, 3, 4]
KEYS = {"AWS_ACCESS_KEY_ID": "double", "AWS_SECRET_ACCESS_KEY": "double"}


@pytest.fixture(scope="module")
def s3(api, ports, tmp_path_factory):
    """The port of the double of S3, on 127.0.0.1 here and on the node's address for pods; with a bucket `models`."""
    python, port = environment([ROOT / "tests/pipeline/buckets.txt"], home() / "envs"), next(ports)
    command = ["nsenter", "--target", str(cluster.inside()), "--net", str(python), "-m", "moto.server"]
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as file:
        server = subprocess.Popen([*command, "-H", "0.0.0.0", "-p", str(port)], stdout=file, stderr=file)
    try:
        end = time.monotonic() + 60
        while not is_put(port, "models", b""):
            assert server.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield port
    finally:
        server.kill()
        server.wait()


def is_put(port, path, content):
    url = f"http://127.0.0.1:{port}/{path}"
    try:
        return httpx.put(url, content=content, auth=("double", "double"), trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def stack(docker, s3, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    with on(docker, folder, PROGRAMS / "fetched", kubeconfig=str(places.kubeconfig())) as stack:
        at = {"AWS_REGION": "us-east-1", **KEYS}
        # The clients of S3 themselves, not the folders that stand in for buckets elsewhere.
        stack.environment |= {"PYTHONPATH": str(ROOT), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3}", **at}
        settings = {
            "service": {
                "model": "tests/models/plane", "modelFrom": "volume", "resources": {"cpu": "50m"},
                "rollout": {"drainSeconds": 0, "deadlineSeconds": 120},
            },
            "image": {"base": docker.base, "python": "3.11"},
            "environment": {
                "AWS_ENDPOINT_URL": f"http://{places.NODE_ADDRESS}:{s3}", "AWS_ALLOW_HTTP": "true", **at,
            },
            "egress": [[f"{places.NODE_ADDRESS}/32", s3]],
        }  # fmt: skip
        plain = {"namespace": SPACE, "bucket": "s3://models/models", "registry": f"{REGISTRY}/{SPACE}"}
        configure(stack, "fetched", **plain, **{key: json.dumps(value) for key, value in settings.items()})
        stack.pulumi("config", "set", "--secret", "access", access(keys=[entry(key=KEY)]))
        yield stack
        stack.destroy(fails=None)


def the_pod(api):
    """The one that is not ending."""
    found = [each for each in api.list("v1", "Pod", SPACE) if not each["metadata"].get("deletionTimestamp")]
    return found[0] if len(found) == 1 else None


def test_a_pod_fetches_the_model_that_its_image_lacks_and_answers(stack, api):
    stack.up()
    assert predict(api, SPACE, NAME, X) == pytest.approx(20)
    pod = the_pod(api)
    (fetching,) = pod["status"]["initContainerStatuses"]
    assert fetching["state"]["terminated"]["exitCode"] == 0
    namespace = api.get(Ref("v1", "Namespace", "", SPACE))
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_up_again_changes_nothing(stack, api):
    before = the_pod(api)["metadata"]["uid"]
    stack.up("--expect-no-changes")
    assert the_pod(api)["metadata"]["uid"] == before


def test_a_pod_whose_copy_is_damaged_does_not_start_and_says_why(stack, api, s3):
    uri = json.loads(stack.pulumi("stack", "output", "--json"))["uri"]
    folder, _, digest = uri.removeprefix("s3://").partition("@")
    assert is_put(s3, f"{folder}/{digest.replace(':', '-')}/model.onnx", b"damaged")
    old = the_pod(api)["metadata"]
    api.delete(Ref("v1", "Pod", SPACE, old["name"]), "Background")
    end = time.monotonic() + 60
    while not (said := refusal(the_pod(api), old["uid"])):
        assert time.monotonic() < end, the_pod(api)
        time.sleep(0.2)
    assert said.startswith("slipway: ")
    assert "model.onnx ends before manifest.json says" in said
    assert not the_pod(api)["status"]["containerStatuses"][0]["ready"]


def refusal(pod, old):
    """Why the init container of another pod than the old one has failed."""
    if not pod or pod["metadata"]["uid"] == old:
        return ""
    (status,) = pod["status"].get("initContainerStatuses") or [{}]
    states = [status.get(key, {}).get("terminated") for key in ("state", "lastState")]
    return next((each["message"] for each in states if each and each["exitCode"]), "")
