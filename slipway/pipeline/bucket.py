"""A shared store in a bucket or a mounted folder: what one machine built, the others fetch."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from slipway.pipeline.errors import BadInput
from slipway.pipeline.objects import objects, unusable
from slipway.service.foreign import json_object
from slipway.service.manifest import (
    LARGEST,
    LARGEST_MANIFEST,
    MANIFEST,
    ArtifactError,
    Manifest,
    fill,
    is_digest,
    verify,
)

LARGEST_KEY = 1 << 12
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def _reaching(
    method: Callable[Concatenate[Bucket, Given], Answer],
) -> Callable[Concatenate[Bucket, Given], Answer]:
    """Each file system has errors of its own for a missing bucket, credentials or network."""

    @functools.wraps(method)
    def told(self: Bucket, /, *given: Given.args, **named: Given.kwargs) -> Answer:
        try:
            return method(self, *given, **named)
        except (ArtifactError, BadInput):
            raise
        except Exception as error:
            raise unusable(self.uri, error) from error

    return told


class Bucket:
    """Artifacts under a URI such as `s3://bucket/artifacts`, laid out as in a Store, but for logs, locks and notes.

    An artifact is there once its manifest is, which is written last; a key once its object is, which only its first
    writer can make. Others write here too: what is read is checked before it is used. Raises BadInput for a URI that
    can't be a store, and for one out of reach.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._objects = objects(self.uri)

    @_reaching
    def find(self, key: str) -> str | None:
        """The digest under an inputsKey."""
        try:
            digest = json_object(self._read(_key(key), LARGEST_KEY)).get("digest")
        except (FileNotFoundError, ArtifactError, ValueError):
            return None
        return digest if is_digest(digest) else None

    @_reaching
    def holds(self, digest: str) -> bool:
        """Whether the manifest is there, and each file that it lists, as large as that says. Who fetches them checks
        their content."""
        try:
            manifest = self._manifest(digest)
        except (FileNotFoundError, ArtifactError):
            return False
        found = ((name, self._objects.size(f"{_folder(digest)}/{name}")) for name in manifest.files)
        return all(size is not None and size == manifest.sizes.get(name, size) for name, size in found)

    @_reaching
    def fetch(self, digest: str, folder: Path) -> bool:
        """Fills an empty folder with an artifact; False where the bucket holds none, or a damaged one."""
        try:
            fill(folder, self._manifest(digest), lambda name: self._objects.pieces(f"{_folder(digest)}/{name}"))
        except (FileNotFoundError, ArtifactError):
            return False
        return True

    @_reaching
    def put(self, folder: Path) -> int:
        """Takes a copy of a sealed artifact, where it holds none yet; returns the artifact's bytes."""
        digest = verify(folder)
        if not self.holds(digest):
            self._write(folder)
        return sum((folder / name).stat().st_size for name in (*Manifest.read(folder).files, MANIFEST))

    @_reaching
    def push(self, key: str, folder: Path) -> str:
        """Takes a copy of a sealed artifact; returns the digest under `key`, another writer's where it was first."""
        digest = verify(folder)
        if not self.holds(digest) or self.find(key) == digest:
            self._write(folder)
        content = json.dumps({"digest": digest}).encode()
        try:
            self._objects.create(_key(key), content)
        except FileExistsError:
            return self.find(key) or self._repaired(key, content, digest)
        return digest

    @_reaching
    def restore(self, digest: str) -> bool:
        """Puts back what was changed or removed of an artifact, from the versions that S3 keeps; False where they are
        gone, or the bucket is another's. Every file is known by its hash."""
        versions = self._objects.versions(f"{_folder(digest)}/{MANIFEST}", LARGEST_MANIFEST)
        manifest = next(filter(None, (_of(digest, b"".join(each)) for each in versions)), None)
        if manifest is None:
            return False
        with tempfile.TemporaryDirectory() as made:
            for name in manifest.files:
                (Path(made) / name).parent.mkdir(parents=True, exist_ok=True)
                if not self._brought_back(manifest, name, Path(made)):
                    return False
            (Path(made) / MANIFEST).write_bytes(manifest.content)
            self._write(Path(made))
        return True

    def _brought_back(self, manifest: Manifest, name: str, folder: Path) -> bool:
        most = manifest.sizes.get(name, LARGEST)
        for version in self._objects.versions(f"{_folder(manifest.digest)}/{name}", most):
            with suppress(ArtifactError), (folder / name).open("wb") as file:
                file.writelines(manifest.checked(name, version))
                return True
        return False

    def _manifest(self, digest: str) -> Manifest:
        """Raises FileNotFoundError, and ArtifactError where there is another one under its name."""
        return Manifest.parse(self._read(f"{_folder(digest)}/{MANIFEST}", LARGEST_MANIFEST), digest)

    def _read(self, name: str, most: int) -> bytes:
        """A small object. Raises ArtifactError where it is none."""
        content = b""
        for piece in self._objects.pieces(name):
            content += piece
            if len(content) > most:
                raise ArtifactError(f"{name} has more than {most} bytes")
        return content

    def _write(self, folder: Path) -> None:
        manifest = Manifest.read(folder)
        for name in (*manifest.files, MANIFEST):  # last, as it says that all is there
            self._objects.put(f"{_folder(manifest.digest)}/{name}", folder / name)

    def _repaired(self, key: str, content: bytes, digest: str) -> str:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self._objects.put(_key(key), Path(file.name))
        return digest


def _of(digest: str, content: bytes) -> Manifest | None:
    try:
        return Manifest.parse(content, digest)
    except ArtifactError:
        return None


def _folder(digest: str) -> str:
    return digest.replace(":", "-")


def _key(key: str) -> str:
    return f"keys/{key}.json"
