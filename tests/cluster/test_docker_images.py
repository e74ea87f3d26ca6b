"""The image with real BuildKit and a real registry: built once, by whoever is first. The tests run in this order."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from urllib.request import Request, urlopen

import httpx
import pytest
import uv
from slipway.infra.home import ROOT

from slipway.simulator.throwaway import EXAMPLES
from tests.artifacts import promoted_copy
from tests.callers import HEADERS, access
from tests.cluster import dockerd, index
from tests.cluster.conftest import configure, on
from tests.service.conftest import EXAMPLES as INPUTS
from tests.service.conftest import make_artifact

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MACHINES = {"amd64": 62, "arm64": 183}  # in the head of an ELF file


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two artifacts that a service can run, in one store."""
    store = tmp_path_factory.mktemp("store")
    folder = tmp_path_factory.mktemp("models")
    return {name: promoted_copy(store, make_artifact(folder / name, name)) for name in ("linear", "classifier")}


@pytest.fixture(scope="module")
def stack(docker, models, tmp_path_factory):
    with on(docker, tmp_path_factory.mktemp("images"), EXAMPLES / "image") as stack:
        settings = json.dumps({"base": docker.base, "python": "3.11"})
        configure(stack, "image", repository=f"{docker.registry}/team", artifact=models["linear"], settings=settings)
        yield stack


def ref(stack):
    return json.loads(stack.pulumi("stack", "output", "--json", "--stack", stack.stack))["ref"]


def manifest(image, kind=MANIFEST):
    """What the registry has under a name by digest."""
    name, _, digest = image.partition("@")
    registry, _, repository = name.partition("/")
    request = Request(f"http://{registry}/v2/{repository}/manifests/{digest}", headers={"Accept": kind})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def layers(image):
    """(digest, size) of each layer, the base's first."""
    return [(each["digest"], each["size"]) for each in manifest(image)["layers"]]


def files(image, layer):
    """{name: content} of a layer."""
    registry, _, repository = image.partition("@")[0].partition("/")
    with urlopen(f"http://{registry}/v2/{repository}/blobs/{layer}", timeout=120) as answer:
        content = gzip.decompress(answer.read())
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar if each.isfile()}


def test_an_update_from_nothing_builds_and_pushes_and_a_second_one_does_nothing(stack, docker):
    stack.up()
    assert ref(stack).startswith(f"{docker.registry}/team/digits@sha256:")
    stack.up("--expect-no-changes")


def test_another_clone_on_a_machine_without_a_cache_changes_and_builds_nothing(stack, docker, tmp_path):
    docker.forget()
    with on(docker, tmp_path, stack.program) as other:
        shutil.copytree(stack.folder / "state", other.folder / "state", dirs_exist_ok=True)
        other.up("--expect-no-changes")
    assert docker("image", "ls", "--quiet") == ""
    assert docker("system", "df", "--format", "{{.Type}} {{.TotalCount}}").splitlines()[-1] == "Build Cache 0"


def test_a_new_model_changes_the_last_layer_alone_wherever_it_is_built(stack, docker, models):
    before = layers(ref(stack))
    docker.forget()
    configure(stack, "image", artifact=models["classifier"])
    stack.up()
    after = layers(ref(stack))
    assert after[:-1] == before[:-1] and after[-1] != before[-1]
    assert {name.split("/")[0] for name in files(ref(stack), after[-1][0])} == {"model"}


def test_the_layers_are_the_same_on_a_machine_that_has_no_cache_at_all(stack, docker, models):
    docker.forget()
    command = ["image", "build", "--artifact", models["classifier"], "--name", f"{docker.registry}/other/digits"]
    command += ["--key", "anew", "--base", docker.base, "--python", "3.11"]
    again = json.loads(slipway(docker, *command))
    assert again["built"] and layers(again["ref"]) == layers(ref(stack))


def slipway(docker, *arguments, fails=False, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "slipway.cli", *arguments],
        cwd=ROOT, env={**docker.environment, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


CLOSED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@pytest.fixture
def served(stack, docker, tmp_path):
    """Runs the image as closed in as can be, with the tests' key; who asks, once it is healthy, and its container."""
    rules = tmp_path / "access.json"
    rules.write_text(access())
    os.chown(rules, 10001, 10001)  # the service takes no file that others can read
    rules.chmod(0o400)
    docker("pull", "--quiet", ref(stack))
    made = []

    def run(*command):
        entry = ["--entrypoint", "python3"] if command else []
        mounted = ["--volume", f"{rules}:/access.json:ro", "--env", "SLIPWAY_ACCESS=/access.json"]
        started = ["run", "--detach", *CLOSED, *mounted, *entry, "--publish", "127.0.0.1::3000", ref(stack), *command]
        container = docker(*started)
        made.append(container)
        port = docker("port", container, "3000").rpartition(":")[2]
        end = time.monotonic() + 120
        while docker("inspect", "--format", "{{.State.Health.Status}}", container) != "healthy":
            assert time.monotonic() < end, docker("logs", container)
            time.sleep(0.2)
        return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=30), container

    yield run
    for each in made:
        docker("rm", "--force", each)


@pytest.mark.parametrize(
    ("command", "posts", "gets"),
    [
        ((), ("/predict", "/explain"), ("/openapi.json", "/status")),
        (("-m", "bentoml", "serve", "/bento"), ("/predict",), ("/docs.json",)),
    ],
    ids=["service", "bentoml"],
)
def test_it_serves_with_a_read_only_root_no_capabilities_and_a_numeric_user(
    command, posts, gets, stack, docker, served
):
    client, container = served(*command)
    settings = json.loads(docker("image", "inspect", ref(stack)))
    assert settings[0]["Config"]["User"] == "10001:10001"
    assert settings[0]["Config"]["Labels"]["slipway.sbom"] == "/packages/sbom.cdx.json"
    with client:
        answers = [client.post(path, json={"inputs": INPUTS["classifier"]}) for path in posts]
        answers += [client.get(path) for path in gets]
        assert [each.status_code for each in answers] == [200] * len(answers), [each.text for each in answers]
    script = "import json; print(len(json.load(open('/packages/sbom.cdx.json'))['components']))"
    assert int(docker("exec", container, "python3", "-c", script)) > 100


def test_it_starts_as_fast_as_its_packages_do(stack, docker):
    code = ["--volume", f"{ROOT / 'bench'}:/bench:ro", "--env", "PYTHONPATH=/:/bento/src:/packages"]
    docker("pull", "--quiet", ref(stack))
    command = [*CLOSED, *code, "--env", "SLIPWAY_HOST=127.0.0.1", "--entrypoint", "python3", ref(stack)]
    found = json.loads(docker("run", "--rm", *command, "-m", "bench.start", "/model").splitlines()[-1])
    ratio = found["ours"] / found["bare"]
    print(f"\nfirst answer after {found['ours']:.2f} s, bare {found['bare']:.2f} s, {ratio:.2f} times")
    assert ratio <= 2  # the goal is 1.5, for a machine that does nothing else


def test_it_is_at_most_1_3_times_python_numpy_and_onnxruntime_on_the_same_base(stack, docker, tmp_path):
    own = int(docker("image", "inspect", "--format", "{{.Size}}", ref(stack)))
    lock = (ROOT / "service" / "requirements.txt").read_text()
    wanted = [line.split()[0] for line in lock.splitlines() if line.startswith(("numpy==", "onnxruntime=="))]
    where = ["--target", str(tmp_path / "packages"), "--python-platform", "x86_64-manylinux_2_28"]
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", *where, "--python-version", "3.11", *wanted]
    subprocess.run([*command, "--only-binary", ":all:", "--link-mode=copy"], check=True)
    dockerfile = (
        f'FROM {docker.base}\nCOPY packages /packages\nRUN ["python3", "-m", "compileall", "-q", "/packages"]\n'
    )
    # In one layer, as ours: a second one would hold nothing but byte code, which counts all the same.
    (tmp_path / "Dockerfile").write_text(dockerfile)
    docker("build", "--quiet", "--tag", "bare", str(tmp_path))
    bare = int(docker("image", "inspect", "--format", "{{.Size}}", "bare"))
    print(f"\nimage {own / 1e6:.0f} MB, bare {bare / 1e6:.0f} MB, {own / bare:.2f} times")
    print(f"in the registry, by layer: {[round(size / 1e6, 1) for _, size in layers(ref(stack))]} MB")
    assert own / bare <= 1.3


@pytest.mark.skipif("SLIPWAY_FULL" not in os.environ, reason="make test-cluster-full")
def test_one_image_for_two_processors_has_the_wheels_of_each_and_runs_nothing_of_the_other(docker, models, both):
    name = f"{docker.registry}/two/digits"
    command = ["image", "build", "--artifact", models["linear"], "--name", name, "--key", "one"]
    command += ["--base", both, "--python", "3.11", "--arch", "amd64,arm64"]
    built = json.loads(slipway(docker, *command))
    assert built["built"]
    parts = {
        each["platform"]["architecture"]: f"{name}@{each['digest']}"
        for each in manifest(built["ref"], LIST)["manifests"]
    }
    assert parts.keys() == MACHINES.keys()
    added = {arch: [digest for digest, _ in layers(part)[1:]] for arch, part in parts.items()}
    assert added["amd64"][1:] == added["arm64"][1:]  # code and model
    for arch, (packages, *_) in added.items():
        found = files(parts[arch], packages)
        machines = {int.from_bytes(each[18:20], "little") for each in found.values() if each[:4] == b"\x7fELF"}
        assert machines == {MACHINES[arch]}
        bill = json.loads(found["packages/sbom.cdx.json"])["components"]
        assert ("pkg:deb/debian/double@1?arch=arm64" in [each["purl"] for each in bill]) is (arch == "arm64")
    assert json.loads(slipway(docker, *command)) == {"ref": built["ref"], "built": False}
    code = "import onnxruntime, platform; print(platform.machine())"
    assert docker("run", "--rm", "--entrypoint", "python3", built["ref"], "-c", code) == "x86_64"


def test_packages_can_be_fetched_inside_of_the_build_and_no_layer_keeps_the_secrets(docker, models, tmp_path):
    wheels = tmp_path / "wheels"
    lock = ROOT / "service" / "requirements.txt"
    fetch = [
        "download",
        "--quiet",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--dest",
        str(wheels),
        "-r",
        str(lock),
    ]
    subprocess.run([sys.executable, "-m", "pip", *fetch], check=True)
    (tmp_path / "config").mkdir()
    command = ["image", "build", "--artifact", models["linear"], "--name", f"{docker.registry}/fetched/digits"]
    command += ["--key", "one", "--base", docker.base, "--python", "3.11", "--packages", "fetched"]
    with index.serving(tmp_path, wheels, dockerd.ADDRESS) as company:
        secrets = {"PIP_INDEX_URL": company.url, "PIP_CERT": str(company.certificate), "PIP_FIND_LINKS": ""}
        built = json.loads(slipway(docker, *command, **secrets))
    certificate = company.certificate.read_bytes().splitlines()[1]
    for layer, _ in layers(built["ref"]):
        for name, content in files(built["ref"], layer).items():
            assert certificate not in content, name
            assert index.PASSWORD.encode() not in content, name
    docker("pull", "--quiet", built["ref"])
    history = docker("history", "--no-trunc", built["ref"]) + docker("image", "inspect", built["ref"])
    assert index.PASSWORD not in history


def test_the_nvidia_twin_finds_the_driver_where_gke_mounts_it(docker, tmp_path):
    """The stage that names the path, on the tests' base, with a fake libcuda in a volume."""
    whole = (ROOT / "service" / "Dockerfile").read_text()  # Docker 20.10 would build the stages before it as well
    stage = whole[whole.index("FROM base AS service-nvidia") :].partition("\n# hadolint")[0]
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "Dockerfile").write_text(f"FROM {docker.base} AS base\n{stage}\n")
    image = docker("build", "--quiet", str(tmp_path / "stage")).strip()
    source = next(each for each in ("/usr/lib/x86_64-linux-gnu/libm.so.6", "/lib/x86_64-linux-gnu/libm.so.6")
                  if os.path.exists(each))  # fmt: skip
    shutil.copyfile(source, tmp_path / "libcuda.so.1")
    (tmp_path / "libcuda.so.1").chmod(0o755)
    look = ["--entrypoint", "python3", image, "-c", "import ctypes; ctypes.CDLL('libcuda.so.1').cos"]
    docker("run", "--rm", "--volume", f"{tmp_path}:/usr/local/nvidia/lib64:ro", *look)
    assert "libcuda.so.1" in docker("run", "--rm", *look, fails=True)


def test_a_registry_that_asks_for_a_login_is_named_and_has_the_image_after_it(docker, models, tmp_path):
    with dockerd.closed_registry(tmp_path, docker) as registry:
        command = ["image", "build", "--artifact", models["linear"], "--name", f"{registry}/team/digits"]
        command += ["--key", "one", "--base", docker.base, "--python", "3.11"]
        refused = slipway(docker, *command, fails=True)
        assert f"docker login {registry}" in refused and "Traceback" not in refused
        docker("login", "--username", dockerd.USER, "--password", dockerd.PASSWORD, registry)
        try:
            assert json.loads(slipway(docker, *command))["built"]
            assert not json.loads(slipway(docker, *command))["built"]
        finally:
            docker("logout", registry)


def test_a_base_with_another_python_is_refused_naming_the_setting(docker, models):
    command = ["image", "build", "--artifact", models["linear"], "--name", f"{docker.registry}/wrong/digits"]
    command += ["--key", "one", "--base", docker.base, "--python", "3.12"]
    assert "set slipway:image.python" in slipway(docker, *command, fails=True)


def test_without_a_daemon_it_says_so_before_anything_is_fetched(docker, models):
    command = ["image", "build", "--artifact", models["linear"], "--name", f"{docker.registry}/none/digits"]
    command += ["--key", "one", "--base", docker.base, "--python", "3.11"]
    said = slipway(docker, *command, fails=True, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert "no Docker daemon answers" in said
    assert "fetching" not in said and "Traceback" not in said
