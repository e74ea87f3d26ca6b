"""A shared store in a bucket, or any file system that fsspec knows: what one machine built, the others fetch."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from slipway.pipeline.errors import BadInput
from slipway.service.artifact import MANIFEST, ArtifactError, verify

OBJECTS = frozenset({"s3", "gs", "gcs", "abfs", "az", "adl", "oci"})
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
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise BadInput(f"{self.uri} can't be used: {reason}; look at its name and your credentials") from error

    return told


class Bucket:
    """Artifacts under a URI such as `s3://bucket/artifacts`, laid out as in a Store, but for logs, locks and notes.

    An artifact is there once its manifest is, which is written last; a key once its object is, which only its first
    writer can make. Raises BadInput for a URI whose file system or package is not there, and for one out of reach.
    """

    def __init__(self, uri: str) -> None:
        from fsspec.core import url_to_fs

        self.uri = uri.rstrip("/")
        try:
            self._files, self._root = url_to_fs(self.uri)
        except (ImportError, ValueError) as error:
            raise BadInput(f"{self.uri} can't be reached: {error}") from error

    @_reaching
    def find(self, key: str) -> str | None:
        """The digest under an inputsKey."""
        try:
            digest = json.loads(self._files.cat_file(self._key(key)))["digest"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return digest if isinstance(digest, str) else None

    @_reaching
    def fetch(self, digest: str, folder: Path) -> bool:
        """Fills an empty folder with an artifact; False where the bucket holds none, or a damaged one."""
        root = self._artifact(digest)
        try:
            manifest = self._files.cat_file(f"{root}/{MANIFEST}")
            names = json.loads(manifest)["files"]
            (folder / MANIFEST).write_bytes(manifest)
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(self._files.cat_file(f"{root}/{name}"))
            return verify(folder) == digest
        except (FileNotFoundError, ValueError, KeyError, TypeError, ArtifactError):
            return False

    @_reaching
    def push(self, key: str, folder: Path) -> str:
        """Takes a copy of a sealed artifact; returns the digest under `key`, another writer's where it was first."""
        digest = verify(folder)
        root = self._artifact(digest)
        if not self._files.exists(f"{root}/{MANIFEST}") or self.find(key) == digest:
            names = json.loads((folder / MANIFEST).read_bytes())["files"]
            self._make_room(root)
            for name in [*names, MANIFEST]:
                self._files.pipe_file(f"{root}/{name}", (folder / name).read_bytes())
        self._make_room(f"{self._root}/keys")
        content = json.dumps({"digest": digest}).encode()
        try:
            self._files.pipe_file(self._key(key), content, mode="create")
        except FileExistsError:
            return self.find(key) or self._repaired(key, content, digest)
        return digest

    @_reaching
    def restore(self, digest: str) -> bool:
        """Puts back what was changed or removed of an artifact, from the versions that S3 keeps; False where they are
        gone, or the bucket is another's. Every file is known by its hash."""
        root = self._artifact(digest)
        manifest = self._version(f"{root}/{MANIFEST}", digest.removeprefix("sha256:"))
        found = {MANIFEST: manifest} if manifest else {}
        for name, wanted in json.loads(manifest)["files"].items() if manifest else ():
            if (content := self._version(f"{root}/{name}", wanted)) is None:
                return False
            found[name] = content
        for name in reversed(found):  # the manifest last: with it the artifact is there
            self._files.pipe_file(f"{root}/{name}", found[name])
        return bool(found)

    def _version(self, path: str, wanted: str) -> bytes | None:
        """The version of an object that has this SHA-256."""
        return next((each for each in self._versions(path) if hashlib.sha256(each).hexdigest() == wanted), None)

    def _versions(self, path: str) -> Iterator[bytes]:
        if "s3" not in self._files.protocol:
            return
        files = type(self._files)(version_aware=True, **self._files.storage_options)
        try:
            versions = files.object_version_info(path)
        except KeyError:  # its way to say that there is none
            return
        for each in versions:
            if path.endswith(each["Key"]):
                with files.open(path, version_id=each["VersionId"]) as stream:
                    yield stream.read()

    def _make_room(self, folder: str) -> None:
        """Object storage has no folders: its clients would make the bucket, which is not ours to make."""
        known = self._files.protocol
        if OBJECTS.isdisjoint([known] if isinstance(known, str) else known):
            self._files.makedirs(folder, exist_ok=True)

    def _repaired(self, key: str, content: bytes, digest: str) -> str:
        self._files.pipe_file(self._key(key), content)
        return digest

    def _artifact(self, digest: str) -> str:
        return f"{self._root}/{digest.replace(':', '-')}"

    def _key(self, key: str) -> str:
        return f"{self._root}/keys/{key}.json"
