"""Makes an artifact whole again where one of its two copies was lost: this machine's, and the shared store's."""

from __future__ import annotations

import tempfile
from pathlib import Path

from slipway.ops.models import stores
from slipway.ops.models.builds import Model, described
from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput

AGAIN = "bring back the bucket's versions (docs/recovery.md); built again it is another artifact, with another digest"


def restore(ref: str, home: Path) -> str:
    """What was done. The digest stays, as only whole copies are taken.

    Raises:
        BadInput: REF was never built, or no whole copy is left anywhere.
    """
    model = described(ref, home)
    bucket = stores.shared() if model.uri == model.store.uri else Bucket(model.uri)
    digest = (bucket.find(model.inputs_key) if bucket and model.folder else None) or model.digest
    digest = digest or (None if model.folder else model.inputs_key)
    if digest is None:
        raise BadInput(f"{ref} is in no store: slipway model build {ref}")
    here = model.store.whole(digest)
    if bucket is None:
        if not here:
            raise BadInput(f"{digest} is damaged, and SLIPWAY_STORE names no store that could have it: build it again")
        return f"{digest} is whole"
    there = _is_whole(bucket, digest)
    if here and there:
        return f"{digest} is whole, here and in {bucket.uri}"
    if here:
        return _pushed(bucket, model, digest)
    if not there and not bucket.restore(digest):
        raise BadInput(f"no whole copy of {digest} is left, here or in {bucket.uri}: {AGAIN}")
    key = model.inputs_key.replace(":", "-")
    with model.store.claim(key, lambda: None):
        stores.fetch(bucket, digest, model.store, key)
    return f"{digest} was fetched from {bucket.uri}" + ("" if there else ", whose versions had it")


def _pushed(bucket: Bucket, model: Model, digest: str) -> str:
    # The second time it is this artifact's key, and so its files are written anew.
    for _ in range(2):
        bucket.push(model.inputs_key.replace(":", "-"), model.store.path(digest))
        if _is_whole(bucket, digest):
            return f"{digest} was put back into {bucket.uri}"
    raise BadInput(f"{bucket.uri} does not take {digest}: it holds another artifact under this model's key")


def _is_whole(bucket: Bucket, digest: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return bucket.fetch(digest, Path(folder))
