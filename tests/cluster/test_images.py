"""Images: one that a test pushes to the registry runs in a pod, and the base image is a base."""

import hashlib
import json
import tarfile
import time

import httpx
import pytest

from slipway.simulator.kube.api import Ref
from tests.cluster import images, places

REGISTRY = f"127.0.0.1:{places.REGISTRY}"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def pod(api):
    """Runs a container and returns the pod once it has ended or runs."""
    made = []

    def run(name, image, *command):
        container = {"name": "main", "image": image, **({"command": list(command)} if command else {})}
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
        value = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}
        made.append(api.apply(value, "test"))
        end = time.monotonic() + 60
        wanted = ("Succeeded", "Failed") if command else ("Running",)
        while (live := api.get(Ref.to(value)))["status"].get("phase") not in wanted:
            assert time.monotonic() < end, live["status"]
            time.sleep(0.1)
        return live

    yield run
    for each in made:
        api.delete(Ref.to(each), "Background")


def push(archive, name):
    """Pushes the one-layer image of a `docker save` archive; returns its reference by digest."""
    with tarfile.open(archive) as tar:
        blobs = [tar.extractfile(each).read() for each in ("config.json", "layer.tar")]
    with httpx.Client(base_url=f"http://{REGISTRY}/v2/{name}", trust_env=False, timeout=60) as registry:
        for blob in blobs:
            where = registry.post("/blobs/uploads/").headers["location"]
            done = registry.put(httpx.URL(where).copy_merge_params({"digest": digest(blob)}), content=blob)
            assert done.status_code == 201, done.text
        config, layer = (
            {"mediaType": kind, "size": len(blob), "digest": digest(blob)}
            for kind, blob in zip((CONFIG, LAYER), blobs, strict=True)
        )
        text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})
        done = registry.put("/manifests/1", content=text, headers={"content-type": MANIFEST})
        assert done.status_code == 201, done.text
    return f"{REGISTRY}/{name}@{digest(text.encode())}"


def digest(blob):
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def test_an_image_that_was_pushed_to_the_registry_runs_by_its_digest(pod):
    reference = push(images.pause(), "test/pause")
    live = pod("pushed", reference)
    assert live["status"]["containerStatuses"][0]["imageID"].endswith(reference.partition("@")[2])


def test_the_base_image_has_python_with_venv_and_certificates(pod, api):
    certificates = "len(ssl.create_default_context().get_ca_certs()) > 50"
    script = f"import ssl, sys, venv; print(sys.version_info[:2] >= (3, 11), {certificates})"
    live = pod("base", images.BASE, "python3", "-c", script)
    assert live["status"]["phase"] == "Succeeded"
    assert api.log("default", "base", "main", 5).strip() == "True True"
