"""The two images that the cluster starts with: the pause image, and a base image made from Debian packages."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.cluster import debian
from tests.cluster.build import commands
from tests.cluster.cache import Unfit, key_of, made

PAUSE = "slipway.test/pause:1"
# What the tests' own workloads run on; `up --base NAME` gives it the name of a configuration as well.
BASE = "slipway.test/base:bookworm"
INCLUDED = "python3,python3-venv,ca-certificates"
MIRROR = "http://deb.debian.org/debian"
UNNEEDED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache/apt",
    "var/lib/apt/lists",
)


def base() -> Path:
    """A tar file of an image with Python and a shell, as `ctr images import` and `docker load` take it."""
    key = key_of(debian.SUITE, INCLUDED, MIRROR, BASE, *UNNEEDED)
    return made("base", key, _debootstrap, "making the base image with debootstrap") / "image.tar"


def pause() -> Path:
    """A tar file of the image that holds a pod's namespaces open."""
    binary = commands("pause") / "pause"
    return made("pause-image", key_of(binary, PAUSE), lambda into: _pause(into, binary), "packing") / "image.tar"


def _pause(into: Path, binary: Path) -> None:
    (into / "root").mkdir()
    shutil.copy(binary, into / "root" / "pause")
    _pack(into, into / "root", PAUSE, ["/pause"])


def debootstrap(target: Path, included: str) -> None:
    """Makes `target` the root of a machine with those packages and what they need."""
    packages = debian.root()
    keyring = packages / "usr" / "share" / "keyrings" / "debian-archive-keyring.gpg"
    # Namespaces of its own: what it mounts, and what its packages' scripts start, ends with it.
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [packages / "usr" / "sbin" / "debootstrap", "--variant=minbase", f"--keyring={keyring}"]
    command += [f"--include={included}", debian.SUITE, target, MIRROR]
    environment = {**os.environ, "DEBOOTSTRAP_DIR": str(packages / "usr" / "share" / "debootstrap")}
    done = subprocess.run([*alone, *command], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Unfit(f"debootstrap failed:\n{(done.stdout + done.stderr)[-1000:]}")
    for each in UNNEEDED:
        shutil.rmtree(target / each, ignore_errors=True)


def _debootstrap(into: Path) -> None:
    debootstrap(into / "root", INCLUDED)
    _pack(into, into / "root", BASE, ["python3"])


def _pack(into: Path, root: Path, name: str, command: list[str]) -> None:
    """One layer, in the format of `docker save`; `root` goes."""
    layer = into / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(root, arcname=".")
    shutil.rmtree(root)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    settings = {
        "architecture": machine,
        "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(into / "image.tar", "w") as tar:
        for file_name, content in (("config.json", settings), ("manifest.json", manifest)):
            text = json.dumps(content).encode()
            entry = tarfile.TarInfo(file_name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        tar.add(layer, arcname="layer.tar")
    layer.unlink()
