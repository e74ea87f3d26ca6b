"""What an artifact folder holds, by name, hash and size: the only reader of manifests. Standard library only.

The folder or bucket may be somebody else's. A manifest is checked against the digest that was asked for before anything
else is done, its names stay inside the folder, sizes are bounded, and no link, pipe or device is opened.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeGuard

from slipway.service.foreign import json_object, opened, pieces

MANIFEST = "manifest.json"
FORMAT = 1
ONNX = "onnx"  # the kind of artifacts whose manifest names none: there were no others
LARGEST_MANIFEST, MOST_FILES, LONGEST_NAME = 1 << 20, 1000, 200
LARGEST = 64 << 30  # bytes of a whole artifact

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# No hidden file, no `..`, nothing that a file system reads in a way of its own.
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_NAME = re.compile(f"{_PART}(/{_PART})*")


class ArtifactError(Exception):
    """An artifact that can't be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """`files`: the SHA-256 in hex of each file, by its name below the folder. `sizes`: their bytes; empty in manifests
    of versions that wrote none. `kind`: of service that the artifact is for."""

    content: bytes
    kind: str
    files: dict[str, str]
    sizes: dict[str, int]

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    @classmethod
    def parse(cls, content: bytes, digest: str | None = None) -> "Manifest":
        """`digest`: what it has to have. Raises ArtifactError where it has another, or can't be a manifest."""
        if digest is not None and f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise ArtifactError(f"its {MANIFEST} is not that of {digest}")
        try:
            if len(content) > LARGEST_MANIFEST:
                raise ValueError(f"it has more than {LARGEST_MANIFEST} bytes")
            data = json_object(content)
            if data["format"] != FORMAT:
                raise ArtifactError(f"{MANIFEST} has format {data['format']}, this code reads format {FORMAT}")
            files = _files(data["files"])
            sizes = _sizes(data.get("sizes", {}), files)
            return cls(content=content, kind=str(data.get("kind", ONNX)), files=files, sizes=sizes)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{MANIFEST} is damaged: {error!r}") from error

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of a folder, whose files are not looked at. Raises ArtifactError."""
        try:
            with opened(folder, MANIFEST) as file:
                content = file.read(LARGEST_MANIFEST + 1)
        except OSError as error:
            raise _unreadable(folder / MANIFEST, error) from error
        try:
            return cls.parse(content)
        except ArtifactError as error:
            raise ArtifactError(f"{folder}: {error}") from error

    def checked(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces of a listed file as they come. Raises ArtifactError once they are too many, or, after the last,
        where they are another file's."""
        hashed, left = hashlib.sha256(), self.sizes.get(name, LARGEST)
        for piece in content:
            left -= len(piece)
            if left < 0:
                raise ArtifactError(f"{name} is damaged: it is larger than {MANIFEST} allows")
            hashed.update(piece)
            yield piece
        if hashed.hexdigest() != self.files[name]:
            raise ArtifactError(f"{name} is damaged: its SHA-256 is not the one in {MANIFEST}")


def verify(folder: Path) -> str:
    """The digest, `sha256:` and the hash of manifest.json, once the folder holds the files that it lists and no others.

    Hidden files are not looked at, as file systems leave some, and nobody reads them. Raises ArtifactError naming the
    file that is missing, damaged or not listed.
    """
    manifest = Manifest.read(folder)
    for name in manifest.files:
        try:
            for _ in manifest.checked(name, pieces(folder, name)):
                pass
        except ArtifactError as error:
            raise ArtifactError(f"{folder}/{error}") from error
        except OSError as error:
            raise _unreadable(folder / name, error) from error
    if extra := next((name for name in _entries(folder) if name != MANIFEST and name not in manifest.files), None):
        raise ArtifactError(f"{folder / extra} is not listed in {MANIFEST}")
    return manifest.digest


def fill(folder: Path, manifest: Manifest, source: Callable[[str], Iterable[bytes]]) -> None:
    """Writes the files that a manifest lists into an empty folder, the manifest last; `source` gives the pieces of one.

    Raises ArtifactError where that is not what is listed: the folder is of no use then.
    """
    left = LARGEST
    for name in manifest.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("xb") as file:
            for piece in manifest.checked(name, source(name)):
                if (left := left - len(piece)) < 0:
                    raise ArtifactError(f"it has more than {LARGEST} bytes")
                file.write(piece)
    (folder / MANIFEST).write_bytes(manifest.content)


def seal(folder: Path, kind: str = ONNX) -> str:
    """Writes manifest.json over all files of a folder and returns the digest. `kind`: of service that it is for.

    Raises ArtifactError for a name that no reader would take.
    """
    names = [name for name in _entries(folder) if name != MANIFEST]
    data = {
        "format": FORMAT,
        "kind": kind,
        "files": {name: hash_of(folder / name) for name in names},
        "sizes": {name: (folder / name).stat().st_size for name in names},
    }
    manifest = Manifest.parse((json.dumps(data, sort_keys=True, indent=1) + "\n").encode())
    (folder / MANIFEST).write_bytes(manifest.content)
    return manifest.digest


def is_digest(value: object) -> TypeGuard[str]:
    """Whether it can name an artifact, and with it a folder."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def hash_of(file: Path) -> str:
    """SHA-256 of a file's content in hex, read in pieces. Raises ArtifactError where it can't be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(file, error) from error


def _files(found: dict[str, str]) -> dict[str, str]:
    if len(found) > MOST_FILES:
        raise ValueError(f"it lists more than {MOST_FILES} files")
    taken: set[str] = {MANIFEST}
    for name, expected in found.items():
        if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
            raise ValueError(f"{name[:LONGEST_NAME]!r} lies outside the artifact, or is no name for a file of one")
        if not is_digest(f"sha256:{expected}"):
            raise ValueError(f"{name!r} has no SHA-256")
        taken.add(name)
    # A file system may not tell cases apart, and a file is no folder.
    folded = sorted(f"{name.lower()}/" for name in taken)
    for one, after in pairwise(folded):
        if after.startswith(one):
            raise ValueError(f"{after[:-1]!r} and {one[:-1]!r} can't lie in one folder")
    if len(folded) != len(found) + 1:
        raise ValueError(f"it lists {MANIFEST}")
    return dict(found)


def _sizes(found: dict[str, int], files: dict[str, str]) -> dict[str, int]:
    if found and found.keys() != files.keys():
        raise ValueError("its sizes are those of other files")
    if not all(type(size) is int and size >= 0 for size in found.values()) or sum(found.values()) > LARGEST:
        raise ValueError(f"its sizes are no sizes, or together more than {LARGEST} bytes")
    return dict(found)


def _entries(folder: Path) -> Iterator[str]:
    """The names of all below a folder that is neither hidden nor a folder itself."""
    for place, folders, files in os.walk(folder):
        links = [each for each in folders if os.path.islink(os.path.join(place, each))]
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in (*links, *files):
            if not name.startswith("."):
                yield Path(place, name).relative_to(folder).as_posix()


def _unreadable(file: Path, error: OSError) -> ArtifactError:
    if isinstance(error, FileNotFoundError):
        return ArtifactError(f"{file} is missing")
    return ArtifactError(f"{file} can't be read: {error.strerror}")
