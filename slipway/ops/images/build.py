"""Builds a service's image: context, BuildKit, and the registry that already has it or gets it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from slipway.infra.content import content_key
from slipway.infra.home import ROOT, home
from slipway.infra.runtime import RUNTIMES, Runtime
from slipway.ops.images.docker import Docker, DockerError
from slipway.ops.models.builds import described
from slipway.ops.models.virtualenvs import environment
from slipway.ops.progress import report
from slipway.pipeline.errors import BadInput, PipelineError, shown
from slipway.service.foreign import pieces
from slipway.service.image.settle import settle
from slipway.service.manifest import Manifest, fill

DOCKERFILE = ROOT / "service" / "Dockerfile"
PARTS = ROOT / "service" / "image"
# Of the wheels, by processor and accelerator: ONNX Runtime for GPUs is built on a newer glibc for arm64.
PLATFORMS = {
    ("amd64", "none"): "x86_64-manylinux_2_28",
    ("arm64", "none"): "aarch64-manylinux_2_28",
    ("amd64", "nvidia"): "x86_64-manylinux_2_28",
    ("arm64", "nvidia"): "aarch64-manylinux_2_34",
}
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST")


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """What an image is made of. `name` without a tag; `key` is its tag, and stands for everything else in here.

    Without an `artifact` it has no model. `arch`: one processor, or several with commas between. `packages`: `copied`
    fetches wheels out here, `fetched` lets the build do it, with the certificates and the package index of this
    environment as secrets.
    """

    name: str
    key: str
    artifact: str | None
    kind: str
    accelerator: str
    base: str
    python: str
    arch: str
    packages: str
    cuda: str = "13"

    @property
    def runtime(self) -> Runtime:
        return RUNTIMES[self.kind]

    @property
    def image(self) -> str:
        return f"{self.name}:{self.key}"

    def parts(self) -> list[ImageRequest]:
        """One for each processor; the image itself where it is for one."""
        several = self.arch.split(",")
        return [replace(self, arch=each, key=f"{self.key}-{each}") for each in several] if several[1:] else [self]


def pushed(request: ImageRequest, cache_from: str | None) -> tuple[str, bool]:
    """`<name>@sha256:...`, and whether it had to be built. What has the key's tag in the registry is taken as it is.

    Raises PipelineError with what helps. A digest is only ever answered once the registry has the whole image.
    """
    docker = Docker()
    if digest := docker.digest(request.image):
        return f"{request.name}@{digest}", False
    parts = request.parts()
    missing = [each for each in parts if each is request or not docker.digest(each.image)]
    for name in _built(docker, missing, cache_from):
        report(f"pushing {name}")
        with _unless_there(docker, name):
            docker("push", "--quiet", name, image=name)
        docker("image", "rm", "--no-prune", name)  # BuildKit keeps its layers for the next build
    if parts[1:]:
        with _unless_there(docker, request.image):
            docker.join(request.image, [each.image for each in parts])
    if (digest := docker.digest(request.image)) is None:
        raise PipelineError(f"the registry took {request.image}, and does not have it: run this again")
    return f"{request.name}@{digest}", True


def loaded(request: ImageRequest, host: str | None) -> tuple[str, bool]:
    """As `pushed`, on a daemon that runs what it builds: the answer is the image's id there."""
    docker = Docker(host)
    if found := docker.id(request.image):
        return found, False
    [_] = _built(docker, [request], None)
    if (found := docker.id(request.image)) is None:
        raise PipelineError(f"{request.image} was built, and the daemon does not have it: run this again")
    return found, True


def imported(request: ImageRequest, importer: str) -> tuple[str, bool]:
    """As `loaded`, and brought to a cluster's nodes by the command `importer`, with `{image}` or `{archive}` in it: the
    answer is the image's name there. It is brought again whether or not it was built: nodes may be new.

    Raises PipelineError with the command's last words.
    """
    _, built = loaded(request, None)
    report(f"bringing {request.image} to the nodes")
    with tempfile.TemporaryDirectory(prefix="slipway-archive-") as folder:
        archive = Path(folder) / "image.tar"
        if "{archive}" in importer:
            Docker()("save", "--output", str(archive), request.image, image=request.image)
        command = [each.format(image=request.image, archive=archive) for each in shlex.split(importer)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        except OSError as error:
            raise BadInput(f"{command[0]} can't be run: {error.strerror}: see kubernetes.load") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise PipelineError(f"{shlex.join(command)} failed (kubernetes.load):\n  {last}")
    return request.image, built


@contextmanager
def _unless_there(docker: Docker, image: str) -> Iterator[None]:
    """Tags that can't change refuse the second of two machines that build the same."""
    try:
        yield
    except DockerError:
        if docker.digest(image) is None:
            raise


def _built(docker: Docker, parts: Sequence[ImageRequest], cache_from: str | None) -> Iterator[str]:
    """Builds images that differ in nothing but the processor; the name of each once it is built."""
    if not parts:
        return
    docker("version", "--format", "{{.Server.Version}}")  # without a daemon nothing is fetched first
    with _context(parts[0]) as context:
        for part in parts:
            if part.packages == "copied":
                shutil.rmtree(context / "packages", ignore_errors=True)
                _copy_packages(part, context / "packages")
                settle(context)
            _build(docker, part, context, cache_from)
            yield part.image


def _build(docker: Docker, request: ImageRequest, context: Path, cache_from: str | None) -> None:
    with _secrets(request.packages) as secrets:
        arguments = {name: getattr(request, name) for name in ("base", "python", "accelerator", "packages")}
        given = [f"{name.upper()}={value}" for name, value in arguments.items()]
        labels = {
            "org.opencontainers.image.title": request.name.rpartition("/")[2],
            "org.opencontainers.image.version": request.key,
            "org.opencontainers.image.base.name": request.base.partition("@")[0],
            "org.opencontainers.image.base.digest": request.base.partition("@")[2],
            "slipway.model": (request.artifact or "").rpartition("@")[2],
            "slipway.sbom": "/packages/sbom.cdx.json",
        }
        docker(
            "build", "--progress=plain", f"--platform=linux/{request.arch}", f"--file={DOCKERFILE}",
            f"--tag={request.image}", *(f"--build-arg={each}" for each in given),
            # What a registry holds carries its own cache, for a machine that has never built.
            "--build-arg=BUILDKIT_INLINE_CACHE=1", *([f"--cache-from={cache_from}"] if cache_from else []),
            *(f"--label={name}={value}" for name, value in labels.items()), *secrets, str(context),
            image=request.image,
        )  # fmt: skip


@contextmanager
def _context(request: ImageRequest) -> Iterator[Path]:
    """The folder that the Dockerfile copies from, but for the packages of a processor."""
    model = described(request.artifact, home()).path if request.artifact else None
    if request.artifact and model is None:
        raise BadInput(f"{request.artifact}: the store holds no such artifact, or a damaged one; build the model again")
    with tempfile.TemporaryDirectory(prefix="slipway-image-") as folder:
        context = Path(folder)
        lock = request.runtime.lock(request.accelerator, request.cuda)
        (context / "requirements").mkdir()
        shutil.copyfile(lock, context / "requirements" / "requirements.txt")
        shutil.copyfile(PARTS / "fetch.py", context / "requirements" / "fetch.py")
        shutil.copyfile(PARTS / "settle.py", context / "settle.py")
        (context / "model").mkdir()
        if model:
            (context / "model" / "model").mkdir()
            fill(context / "model" / "model", Manifest.read(model), lambda name: pieces(model, name))
        _export(request.runtime, context / "bento")
        settle(context)  # the same bytes, modes and time stamps wherever it is made
        yield context


def _export(runtime: Runtime, into: Path) -> None:
    """The Bento of the serving code, named by its content."""
    code = runtime.serving_code()
    into.mkdir()
    python = environment([runtime.lock("none")], home() / "envs")
    with tempfile.TemporaryDirectory(prefix="slipway-bento-") as folder:
        source = Path(folder) / "source"
        for file in code:
            target = source / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        (source / "requirements.txt").write_text("")
        import uv

        environ = {
            **os.environ,
            "BENTOML_HOME": str(Path(folder) / "home"),
            "BENTOML_DO_NOT_TRACK": "True",
            # It asks for uv, and would install one of its own.
            "PATH": os.pathsep.join([str(Path(uv.find_uv_bin()).parent), os.environ["PATH"]]),
        }
        command = [str(python), str(PARTS / "export.py"), str(source), str(into), content_key(ROOT, code)[:12]]
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise PipelineError(f"the Bento can't be exported:\n{done.stderr.strip()[-2000:]}")


def _copy_packages(request: ImageRequest, into: Path) -> None:
    """Wheels for the image's Python and processor, checked against the lock's hashes and unpacked."""
    import uv

    lock = request.runtime.lock(request.accelerator, request.cuda)
    report(f"fetching the packages of {shown(lock)} for Python {request.python} on {request.arch}")
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--target", str(into), "--link-mode=copy", "--no-config"]
    command += ["--python-platform", PLATFORMS[request.arch, request.accelerator], "--python-version", request.python]
    command += ["--only-binary", ":all:", "--require-hashes", "--requirements", str(lock)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise PipelineError(f"the packages of {shown(lock)} can't be fetched:\n{done.stderr.strip()[-2000:]}")


@contextmanager
def _secrets(packages: str) -> Iterator[list[str]]:
    """Options that lend the build this environment's certificates and package index; no layer keeps them."""
    if packages != "fetched":
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="slipway-secrets-") as folder:
        bundle = next((Path(os.environ[name]) for name in CA_VARIABLES if os.environ.get(name)), None)
        conf = Path(folder) / "pip.conf"
        lines = [f"{_option(name)} = {os.environ[name]}" for name in INDEX_VARIABLES if os.environ.get(name)]
        conf.write_text("\n".join(["[global]", *lines, ""]))
        conf.chmod(0o600)
        options = [f"--secret=id=pip,src={conf}"]
        if bundle and bundle.is_file():
            options.append(f"--secret=id=ca,src={bundle}")
        # Docker knows these, keeps them out of history and takes their values from the environment.
        proxies = [name for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") if os.environ.get(name)]
        yield [*options, *(f"--build-arg={name}" for name in proxies)]


def _option(variable: str) -> str:
    return variable.removeprefix("PIP_").lower().replace("_", "-")
