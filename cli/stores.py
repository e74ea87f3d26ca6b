"""Where artifacts are: the store in the cache, and the shared one that `SLIPWAY_STORE` names."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cli.models import Promoted
from service.pipeline.bucket import Bucket
from service.pipeline.store import Store


def local(home: Path) -> Store:
    """The models are for their user's eyes alone; made so where the folder is not there yet."""
    folder = home / "artifacts"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Store(folder)


def shared() -> Bucket | None:
    """The bucket that machines share, where one is named."""
    uri = os.environ.get("SLIPWAY_STORE")
    return Bucket(uri) if uri else None


def promoted(target: Promoted, home: Path) -> tuple[Store, str | None]:
    """The store that holds a promoted artifact, and its digest, None where it is not there or damaged.

    One in a folder is used where it lies, one in a bucket is fetched first. Raises BadInput for an unknown scheme.
    """
    parts = urlsplit(target.uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        store = Store(Path(unquote(parts.path)))
        return store, target.digest if store.whole(target.digest) else None
    store = local(home)
    if store.whole(target.digest):
        return store, target.digest
    key = target.digest.replace(":", "-")
    with store.claim(key, lambda: None):
        return store, fetch(Bucket(target.uri), target.digest, store, key)


def fetch(bucket: Bucket, digest: str, store: Store, key: str) -> str | None:
    """For the holder of the claim on `key`: an artifact brought into the local store; None where it is not whole."""
    with store.staging(key) as work:
        folder = work / "artifact"
        folder.mkdir()
        return store.commit(key, folder) if bucket.fetch(digest, folder) else None
