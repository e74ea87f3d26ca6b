"""A service image without Docker, for the cluster's tests: base, packages, code and model, each a layer of its own.

A test double of what `ServiceImage` builds: the same process, started in the same way.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import httpx
from slipway.infra.home import ROOT
from slipway.infra.runtime import ONNX

from tests.cluster import images, places
from tests.cluster.cache import key_of, made

REGISTRY = f"127.0.0.1:{places.REGISTRY}"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
REQUIREMENTS = ONNX.lock("none")
ENVIRONMENT = ("PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONPATH=/app:/app/packages", "PYTHONUNBUFFERED=1")


def service_image(name: str, artifact: Path, replaced: Mapping[str, bytes] | None = None) -> str:
    """The reference by digest of an image with that artifact, in the cluster's registry.

    `replaced`: files below /app with another content, to break it."""
    code = {f"app/{each.relative_to(ROOT)}": each for each in ONNX.serving_code()}
    model = {f"app/artifact/{each.name}": each for each in sorted(artifact.iterdir()) if each.is_file()}
    changed = {f"app/{path}": content for path, content in (replaced or {}).items()}
    layers = [_base(), _packages(), layer(code), layer(model), *([layer(changed)] if changed else [])]
    settings = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["python3", "-m", ONNX.module], "WorkingDir": "/app", "Env": list(ENVIRONMENT)},
        "rootfs": {"type": "layers", "diff_ids": [_digest(each) for each in layers]},
    }
    return push(name, json.dumps(settings).encode(), layers)


def push(name: str, config: bytes, layers: list[Path | bytes], where: str = REGISTRY) -> str:
    """Puts an image into a registry, the cluster's own unless it is said; its reference by digest."""
    with httpx.Client(base_url=f"http://{where}/v2/{name}", trust_env=False, timeout=120) as registry:
        described = []
        for kind, blob in [(CONFIG, config), *((LAYER, each) for each in layers)]:
            digest = _digest(blob)
            size = len(blob) if isinstance(blob, bytes) else blob.stat().st_size
            described.append({"mediaType": kind, "size": size, "digest": digest})
            if registry.head(f"/blobs/{digest}").status_code == 200:
                continue
            upload = httpx.URL(registry.post("/blobs/uploads/").headers["location"])
            done = registry.put(upload.copy_merge_params({"digest": digest}), content=_content(blob))
            assert done.status_code == 201, done.text
        text = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
        ).encode()
        done = registry.put(f"/manifests/{_digest(text)}", content=text, headers={"content-type": MANIFEST})
        assert done.status_code == 201, done.text
    return f"{where}/{name}@{_digest(text)}"


def _base() -> Path:
    archive = images.base()

    def unpack(into: Path) -> None:
        with tarfile.open(archive) as tar:
            tar.extract("layer.tar", into, filter="data")

    return made("base-layer", key_of(str(archive)), unpack, "unpacking the base image") / "layer.tar"


def _packages() -> Path:
    def install(into: Path) -> None:
        import uv

        root = into / "root" / "app" / "packages"
        command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python-version", "3.11", "--target", str(root)]
        subprocess.run([*command, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
        subprocess.run([sys.executable, "-m", "compileall", "-q", "-s", str(into / "root"), str(root)], check=False)
        with tarfile.open(into / "layer.tar", "w") as tar:
            tar.add(into / "root" / "app", arcname="app", filter=_plain)
        shutil.rmtree(into / "root")

    return made("service-packages", key_of(REQUIREMENTS), install, "installing the service's packages") / "layer.tar"


def layer(files: Mapping[str, Path | bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, source in files.items():
            content = source if isinstance(source, bytes) else source.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.mode |= 0o444 | (0o111 if entry.isdir() else 0)
    return entry


def _digest(blob: Path | bytes) -> str:
    if isinstance(blob, bytes):
        return f"sha256:{hashlib.sha256(blob).hexdigest()}"
    with blob.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _content(blob: Path | bytes) -> object:
    if isinstance(blob, bytes):
        return blob
    file = blob.open("rb")
    return iter(lambda: file.read(1 << 20), b"")
