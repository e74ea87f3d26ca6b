"""Brings an artifact out of a bucket to where a server reads it.

python -m slipway.service.inference.fetch URI@DIGEST FOLDER
"""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.service.manifest import LARGEST, LARGEST_MANIFEST, MANIFEST, ArtifactError, Manifest, verify

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PIECE, AT_ONCE = 16 << 20, 8  # bytes of one request, and how many of them; together what it takes of memory


def fetch(artifact: str, folder: Path) -> None:
    """Fills `folder`, which may hold what a killed try has left, from `<folder of artifacts>@sha256:<hex>`.

    Credentials are those of the machine: a pod's identity. Raises ArtifactError where the bucket does not hold it,
    can't be read or holds something else under its name.
    """
    uri, _, digest = artifact.rpartition("@")
    if _is_whole(folder, digest):
        return
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    source = f"{uri}/{digest.replace(':', '-')}"
    try:
        _copy(from_url(source), digest, folder)
    except (ArtifactError, BaseError, FileNotFoundError, PermissionError, ValueError) as error:
        raise ArtifactError(f"{source} can't be read: {str(error).strip().splitlines()[0][:500]}") from error
    if verify(folder) != digest:
        raise ArtifactError(f"{folder} is not {digest} once it was fetched from {source}")


def _is_whole(folder: Path, digest: str) -> bool:
    try:
        return verify(folder) == digest
    except ArtifactError:
        return False


def _copy(store: "ObjectStore", digest: str, folder: Path) -> None:
    import obstore

    size = min(obstore.head(store, MANIFEST)["size"], LARGEST_MANIFEST)
    manifest = Manifest.parse(bytes(obstore.get_range(store, MANIFEST, start=0, end=size)), digest)
    sizes = {name: manifest.sizes.get(name) or obstore.head(store, name)["size"] for name in manifest.files}
    if sum(sizes.values()) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    pieces: list[tuple[str, int, int]] = []
    for name, size in sizes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as file:
            file.truncate(size)
        pieces += [(name, start, min(start + PIECE, size)) for start in range(0, size, PIECE)]

    def bring(piece: tuple[str, int, int]) -> None:
        name, start, end = piece
        with (folder / name).open("r+b") as file:
            file.seek(start)
            content = bytes(obstore.get_range(store, name, start=start, end=end))
            if len(content) != end - start:
                raise ValueError(f"{name} ends before {MANIFEST} says")
            file.write(content)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(bring, pieces))
    (folder / MANIFEST).write_bytes(manifest.content)


def main() -> int:
    """0 once the artifact is there and whole; else 1, and why in one line."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # the first process of a container would ignore it
    try:
        fetch(sys.argv[1], Path(sys.argv[2]))
    except (ArtifactError, OSError) as error:
        print(f"slipway: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
