"""`slipway image` with a stand-in for docker: what is built, what is not, and what docker's refusals mean."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from slipway.infra.home import ROOT

from slipway.ops.images import build as images
from slipway.ops.images.build import ImageRequest, loaded, pushed
from slipway.ops.images.docker import Docker, DockerError
from slipway.pipeline.errors import BadInput
from slipway.simulator.throwaway import DOUBLES
from tests.artifacts import own_home, promoted

NAME = "registry.example.org/team/digits"
WORDS = [
    ("push", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "start it"),
    ("push", "permission denied while trying to connect to the Docker daemon socket at unix:///x", "join its group"),
    ("build", "ERROR: BuildKit is enabled but the buildx component is missing or broken.", "install its buildx plugin"),
    ("build", "unknown flag: --progress", "install its buildx plugin"),
    ("push", "failed to register layer: write /x: no space left on device", "docker system prune"),
    ("build", "exec /usr/bin/python3: exec format error", "slipway:image.packages: copied"),
    ("build", "toomanyrequests: You have reached your pull rate limit.", "a mirror in slipway:image.base"),
    ("push", "no basic auth credentials", "docker login registry.example.org"),
    ("push", "unauthorized: authentication required", "docker login registry.example.org"),
    ("push", "denied: requested access to the resource is denied", f"you may not write {NAME}:key"),
    ("push", "name unknown: The repository with name 'x' does not exist in the registry", "has no repository"),
    ("push", "Get https://registry.example.org/v2/: x509: certificate signed by unknown authority", "not trusted"),
    ("push", "dial tcp: lookup registry.example.org on 10.0.0.2:53: no such host", "can't be reached"),
    ("push", "something that nobody has foreseen", "something that nobody has foreseen"),
]


@pytest.fixture(autouse=True)
def books(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join([str(DOUBLES), os.environ["PATH"]]))
    monkeypatch.setenv("SLIPWAY_DOCKER_BOOKS", str(tmp_path / "docker.json"))
    monkeypatch.setenv("SLIPWAY_HOME", str(own_home(tmp_path / "home")))
    return lambda: json.loads((tmp_path / "docker.json").read_text())


@pytest.fixture
def request_(tmp_path):
    return ImageRequest(
        name=NAME, key="key", artifact=promoted(tmp_path / "store"), kind="onnx",
        accelerator="none",
        base="python@sha256:" + "b" * 64, python="3.12", arch="amd64", packages="fetched",
    )  # fmt: skip


@pytest.mark.parametrize(("call", "said", "told"), WORDS)
def test_what_docker_refuses_is_told_with_what_helps(call, said, told, monkeypatch):
    monkeypatch.setenv("SLIPWAY_DOCKER_FAULT", f"{call}={said}")
    with pytest.raises(DockerError) as refusal:
        Docker()(call, f"{NAME}:key", image=f"{NAME}:key")
    assert told in str(refusal.value) and said in str(refusal.value)


def test_without_docker_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DockerError, match="docker is not on PATH: install"):
        Docker()("version")


def test_what_the_registry_has_under_the_key_is_not_built_again(request_, books):
    ref, built = pushed(request_, None)
    assert built and pushed(request_, None) == (ref, False)
    assert books()["built"] == [f"{NAME}:key"]


BOTH = [f"{NAME}:key-amd64", f"{NAME}:key-arm64"]


def test_one_image_for_two_processors_is_built_once_for_each_and_found_again_by_its_own_digest(request_, books):
    both = replace(request_, arch="amd64,arm64")
    ref, built = pushed(both, None)
    registry = books()["registry"]
    assert built and ref == f"{NAME}@{registry[f'{NAME}:key']['digest']}" and books()["built"] == BOTH
    assert [registry[each]["platform"] for each in BOTH] == ["linux/amd64", "linux/arm64"]
    assert registry[f"{NAME}:key"]["parts"] == [f"{each}@{registry[each]['digest']}" for each in BOTH]
    assert pushed(both, None) == (ref, False) and Docker().digest(ref) == ref.partition("@")[2]
    assert books()["daemon"] == {}


def test_two_processors_go_on_where_a_build_was_broken_off(request_, books, monkeypatch):
    both = replace(request_, arch="amd64,arm64")
    monkeypatch.setenv("SLIPWAY_DOCKER_FAULT", "manifest create=something")
    with pytest.raises(DockerError):
        pushed(both, None)
    monkeypatch.setenv("SLIPWAY_DOCKER_FAULT", "manifest push+=tag invalid: the tag is immutable")
    assert pushed(both, None)[1] and books()["built"] == BOTH


def test_a_push_whose_answer_was_lost_is_taken_as_done(request_, books, monkeypatch):
    monkeypatch.setenv("SLIPWAY_DOCKER_FAULT", "push+=tag invalid: it exists, and the tag is immutable")
    ref, _ = pushed(request_, None)
    assert ref == f"{NAME}@{books()['registry'][f'{NAME}:key']['digest']}"


def test_without_a_daemon_nothing_is_fetched_or_built_first(request_, monkeypatch):
    monkeypatch.setattr(images, "_export", lambda _: pytest.fail("the Bento was exported"))
    monkeypatch.setenv("SLIPWAY_DOCKER_FAULT", "version=Cannot connect to the Docker daemon")
    with pytest.raises(DockerError, match="start it"):
        pushed(request_, None)


def test_an_artifact_that_is_not_in_its_store_is_refused(request_, tmp_path):
    for file in (tmp_path / "store").rglob("model.onnx"):
        file.write_text("damaged")
    with pytest.raises(BadInput, match="build the model again"):
        pushed(request_, None)


def test_a_daemon_that_runs_what_it_builds_keeps_it_under_its_id(request_, books):
    ref, built = loaded(request_, None)
    assert built and ref == books()["daemon"][f"{NAME}:key"]["id"]
    assert loaded(request_, None) == (ref, False) and books()["registry"] == {}


def test_the_context_is_the_same_whatever_umask_and_place(request_, tmp_path, monkeypatch):
    def made():
        with images._context(request_) as context:
            files = [each for each in sorted(context.rglob("*")) if not each.is_symlink()]
            about = [(each.stat().st_mtime, stat.S_IMODE(each.stat().st_mode)) for each in files]
            content = [each.read_bytes() if each.is_file() else None for each in files]
            return [each.relative_to(context) for each in files], about, content

    first = made()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = os.umask(0o077)
    try:
        assert made() == first
    finally:
        os.umask(before)
    assert {mtime for mtime, _ in first[1]} == {0}


def test_a_build_gets_the_index_and_the_certificates_of_this_environment_as_secrets(request_, books, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:canary@index.example.org/simple")
    monkeypatch.setenv("PIP_CERT", __file__)
    pushed(request_, None)
    assert "canary" not in json.dumps(books())
    assert books()["registry"][f"{NAME}:key"]["secrets"] == ["id=ca", "id=pip"]


@pytest.mark.parametrize(("stage", "found"), [("nvidia", True), ("none", False)])
def test_the_loader_of_the_nvidia_twin_looks_where_gke_mounts_the_driver(stage, found, tmp_path):
    """With a fake libcuda there, below another root; the image itself is run in tests/cluster/test_docker_images.py."""
    (text,) = re.findall(rf"AS service-{stage}\n(.*?)\nFROM", (ROOT / "service" / "Dockerfile").read_text(), re.DOTALL)
    paths = re.findall(r"LD_LIBRARY_PATH=([^\s$]+)", text)
    driver = tmp_path / "usr" / "local" / "nvidia" / "lib64"
    driver.mkdir(parents=True)
    shutil.copyfile(next(Path("/").glob("lib/*/libm.so.6")), driver / "libcuda.so.1")
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(f"{tmp_path}{path}" for path in paths)}
    command = [sys.executable, "-c", "import ctypes; ctypes.CDLL('libcuda.so.1').cos"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode == 0) is found, done.stderr
