"""Where artifacts are: the store in the cache, the shared one that `SLIPWAY_STORE` names, copies in stacks' buckets."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from slipway.infra.home import ROOT, home
from slipway.ops.models.refs import Promoted
from slipway.ops.models.virtualenvs import environment
from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from slipway.pipeline.store import Store

CLIENTS = ROOT / "slipway" / "ops" / "models" / "buckets.txt"


def local(home: Path) -> Store:
    """The models are for their user's eyes alone; made so where the folder is not there yet."""
    folder = home / "artifacts"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Store(folder)


def shared() -> Bucket | None:
    """The store that machines share, where one is named. Raises BadInput where that can't be one."""
    uri = os.environ.get("SLIPWAY_STORE")
    if not uri:
        return None
    bucket = Bucket(uri)
    if (folder := _folder(uri)) and not folder.is_dir():
        raise BadInput(f"SLIPWAY_STORE={uri}: {folder} is no folder: mount it, or make it")
    return bucket


def promoted(target: Promoted, home: Path) -> tuple[Store, str | None]:
    """The local store with a promoted artifact, and its digest, None where it is nowhere, or damaged.

    It is brought here from everywhere else, a folder too: whoever may write to that could change it after the check.
    """
    store = local(home)
    if store.whole(target.digest):
        return store, target.digest
    if target.uri.rstrip("/") == store.uri:
        return store, None
    key = target.digest.replace(":", "-")
    with store.claim(key, lambda: None):
        return store, _brought(lambda folder: fetched(target.uri, target.digest, folder), store, key)


def agreed(bucket: Bucket, key: str, digest: str, store: Store) -> str:
    """The digest that machines share under an inputsKey, once the bucket holds it and the local store does too.

    It is `digest`, of an artifact that is here, unless another machine was first. Raises BadInput where the bucket
    can't be used, or holds a damaged one.
    """
    if bucket.find(key) == digest and bucket.holds(digest):
        return digest
    if (winner := bucket.push(key, store.path(digest))) == digest:
        return digest
    name = winner.replace(":", "-")
    with store.claim(name, lambda: None):
        if not store.whole(winner) and fetch(bucket, winner, store, name) is None:
            raise BadInput(
                f"{bucket.uri} holds {winner} under this model's key, but damaged; remove it and build again"
            )
    with store.claim(key, lambda: None):
        store.follow(key, winner)
    return winner


def fetch(bucket: Bucket, digest: str, store: Store, key: str) -> str | None:
    """For the holder of the claim on `key`: an artifact brought into the local store; None where it is not whole."""
    return _brought(lambda folder: bucket.fetch(digest, folder), store, key)


def _brought(fill: Callable[[Path], bool], store: Store, key: str) -> str | None:
    with store.staging(key) as work:
        folder = work / "artifact"
        folder.mkdir()
        return store.commit(key, folder) if fill(folder) else None


def copied(folder: Path, uri: str) -> int:
    """The bytes of the artifact in `folder`, once the bucket's folder `uri` holds it. Raises BadInput."""
    return int(_asked(uri, "put", str(folder))["size"])


def fetched(uri: str, digest: str, folder: Path) -> bool:
    """Fills an empty folder from the bucket's folder `uri`; False where that holds no such artifact, or a damaged one.
    Raises BadInput."""
    if _folder(uri):
        return Bucket(uri).fetch(digest, folder)
    return bool(_asked(uri, "fetch", digest, str(folder))["fetched"])


def holds(uri: str, digest: str) -> bool:
    """Whether the bucket's folder `uri` holds an artifact. Raises BadInput where it can't be asked."""
    return bool(_asked(uri, "holds", digest)["found"])


def _folder(uri: str) -> Path | None:
    """The folder of this machine that a URI names, if it does."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def version(uri: str) -> str:
    """Which version of data a URI names. Raises BadInput where it is not there or its store tells none."""
    return str(_asked(uri, module="slipway.ops.models.versions")["version"])


def _asked(uri: str, *arguments: str, module: str = "slipway.ops.models.copies") -> dict[str, Any]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [_python_for(uri), "-m", module, uri, *arguments]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    if done.returncode:
        raise BadInput((done.stderr.strip().splitlines() or [f"{uri}: no answer"])[-1])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _python_for(uri: str) -> str:
    """One that has the client of the bucket's kind of storage. Those of S3 and Google need other versions of packages
    than what serves does, and so an environment of their own."""
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(urlsplit(uri).scheme)
    except ImportError:
        return str(environment([CLIENTS], home() / "envs"))
    except ValueError as error:
        raise BadInput(f"{uri} can't be reached: {error}") from error
    return sys.executable
