"""Where the objects of a shared store lie: in a bucket that fsspec knows, or in a folder that machines mount."""

from __future__ import annotations

import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from slipway.pipeline.errors import BadInput
from slipway.service.foreign import opened, pieces

PIECE = 16 << 20  # bytes of one request
OBJECTS = frozenset({"s3", "gs", "gcs", "abfs", "az", "adl", "oci"})


class Objects(Protocol):
    """Objects by name below a URI. What reads raises FileNotFoundError where there is none."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content, a piece at a time."""

    def size(self, name: str) -> int | None:
        """Bytes; None where there is no such object."""

    def put(self, name: str, file: Path) -> None:
        """Makes a file's content the object's, whole or not at all."""

    def create(self, name: str, content: bytes) -> None:
        """Raises FileExistsError where it is there already: of many at once, one writes."""

    def versions(self, name: str, most: int) -> Iterator[Iterator[bytes]]:
        """The content of each version of up to `most` bytes that the store keeps."""


def unusable(uri: str, error: Exception) -> BadInput:
    """What a file system said of a store."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return BadInput(f"{uri} can't be used: {reason}; look at its name and your credentials")


def objects(uri: str) -> Objects:
    """Raises BadInput for a URI that can't be a store, or whose client is not installed."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Folder(Path(unquote(parts.path)))
    if "::" in uri:
        raise _unfit(uri)
    return Remote(uri)


class Remote:
    """Objects in a bucket."""

    def __init__(self, uri: str) -> None:
        from fsspec.core import url_to_fs

        try:
            self._files, self._root = url_to_fs(uri)
        except (ImportError, TypeError, ValueError) as error:
            raise BadInput(f"{uri} can't be reached: {error}") from error
        except Exception as error:  # each file system has its own
            raise unusable(uri, error) from error
        if "file" in self._files.protocol:  # which follows links, and makes folders where nothing is mounted
            raise _unfit(uri)

    def pieces(self, name: str) -> Iterator[bytes]:
        path = self._path(name)
        size = int(self._files.info(path)["size"])
        for start in range(0, size, PIECE):
            yield self._files.cat_file(path, start=start, end=min(start + PIECE, size))

    def size(self, name: str) -> int | None:
        try:
            return int(self._files.info(self._path(name))["size"])
        except FileNotFoundError:
            return None

    def put(self, name: str, file: Path) -> None:
        self._make_room(name)
        self._files.put_file(str(file), self._path(name))

    def create(self, name: str, content: bytes) -> None:
        self._make_room(name)
        self._files.pipe_file(self._path(name), content, mode="create")

    def versions(self, name: str, most: int) -> Iterator[Iterator[bytes]]:
        if "s3" not in self._files.protocol:
            return
        files, path = type(self._files)(version_aware=True, **self._files.storage_options), self._path(name)
        try:
            found = files.object_version_info(path)
        except KeyError:  # its way to say that there is none
            return
        for each in found:
            if path.endswith(each["Key"]) and each["Size"] <= most:
                with files.open(path, version_id=each["VersionId"]) as stream:
                    yield iter(lambda: stream.read(PIECE), b"")

    def _make_room(self, name: str) -> None:
        """Object storage has no folders: its clients would make the bucket, which is not ours to make."""
        known = self._files.protocol
        if OBJECTS.isdisjoint([known] if isinstance(known, str) else known):
            self._files.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


class Folder:
    """Objects as files of a folder that several machines mount, and that others may write to.

    Below it no link is followed, neither to read nor to write. A file appears whole, with its last name.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def pieces(self, name: str) -> Iterator[bytes]:
        return pieces(self._root, name)

    def size(self, name: str) -> int | None:
        try:
            with opened(self._root, name) as file:
                return os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return None

    def put(self, name: str, file: Path) -> None:
        with file.open("rb") as content:
            self._write(name, content, os.replace)

    def create(self, name: str, content: bytes) -> None:
        self._write(name, io.BytesIO(content), os.link)

    def versions(self, name: str, most: int) -> Iterator[Iterator[bytes]]:
        return iter(())

    def _write(self, name: str, content: BinaryIO, give_name: Callable[..., None]) -> None:
        *above, last = name.split("/")
        try:
            at = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError as error:
            raise BadInput(f"{self._root} is missing: mount it, or make the folder") from error
        mode = os.fstat(at).st_mode
        temporary = f".{secrets.token_hex(8)}"
        try:
            for each in above:
                inner = _entered(each, at, mode)
                os.close(at)
                at = inner
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=at), "wb") as target:
                shutil.copyfileobj(content, target)
                target.flush()
                os.fchmod(target.fileno(), mode & 0o666)
                os.fsync(target.fileno())
            give_name(temporary, last, src_dir_fd=at, dst_dir_fd=at)
            os.fsync(at)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=at)
            os.close(at)


def _unfit(uri: str) -> BadInput:
    return BadInput(f"{uri} can't be a store: write s3://bucket/folder, gs://bucket/folder or file:///mnt/folder")


def _entered(name: str, at: int, mode: int) -> int:
    """The descriptor of a folder in `at`; made, with the rights of the store's own, where it is not there yet."""
    try:
        os.mkdir(name, dir_fd=at)
    except FileExistsError:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
    made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
    os.fchmod(made, mode & 0o7777)
    return made
