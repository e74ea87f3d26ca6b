"""A shared store in a bucket, or any file system that fsspec knows: what one machine built, the others fetch."""

from __future__ import annotations

import json
from pathlib import Path

from service.artifact import MANIFEST, ArtifactError, verify
from service.pipeline.errors import BadInput


class Bucket:
    """Artifacts under a URI such as `s3://bucket/artifacts`, laid out as in a Store, but for logs, locks and notes.

    An artifact is there once its manifest is, which is written last; a key once its object is, which only its first
    writer can make. Raises BadInput for a URI whose file system or package is not there.
    """

    def __init__(self, uri: str) -> None:
        from fsspec.core import url_to_fs

        self.uri = uri.rstrip("/")
        try:
            self._files, self._root = url_to_fs(self.uri)
        except (ImportError, ValueError) as error:
            raise BadInput(f"{self.uri} can't be reached: {error}") from error

    def find(self, key: str) -> str | None:
        """The digest under an inputsKey."""
        try:
            digest = json.loads(self._files.cat_file(self._key(key)))["digest"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return digest if isinstance(digest, str) else None

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

    def push(self, key: str, folder: Path) -> str:
        """Takes a copy of a sealed artifact; returns the digest under `key`, another writer's where it was first."""
        digest = verify(folder)
        root = self._artifact(digest)
        if not self._files.exists(f"{root}/{MANIFEST}") or self.find(key) == digest:
            names = json.loads((folder / MANIFEST).read_bytes())["files"]
            self._files.makedirs(root, exist_ok=True)
            for name in [*names, MANIFEST]:
                self._files.pipe_file(f"{root}/{name}", (folder / name).read_bytes())
        self._files.makedirs(f"{self._root}/keys", exist_ok=True)
        content = json.dumps({"digest": digest}).encode()
        try:
            self._files.pipe_file(self._key(key), content, mode="create")
        except FileExistsError:
            return self.find(key) or self._repaired(key, content, digest)
        return digest

    def _repaired(self, key: str, content: bytes, digest: str) -> str:
        self._files.pipe_file(self._key(key), content)
        return digest

    def _artifact(self, digest: str) -> str:
        return f"{self._root}/{digest.replace(':', '-')}"

    def _key(self, key: str) -> str:
        return f"{self._root}/keys/{key}.json"
