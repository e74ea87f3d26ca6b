"""A shared store in a bucket, or any file system that fsspec knows: what one machine built, the others fetch."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from service.artifact import MANIFEST, ArtifactError, verify
from service.pipeline.errors import BadInput

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
