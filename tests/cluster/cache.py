"""Where the parts of the cluster are kept, by version, and how one appears there all at once."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway.infra.home import home


class Unfit(Exception):
    """Why this machine can't run the cluster, and what would help."""


def folder() -> Path:
    """Outside the checkout; `down` leaves what is in it, as the next cluster is made of it."""
    return home() / "cluster"


def key_of(*ingredients: str | Path) -> str:
    """Twelve digits that change with any text, or file's content, that a part is made from."""
    digest = hashlib.sha256()
    for each in ingredients:
        digest.update(each.read_bytes() if isinstance(each, Path) else each.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:12]


def made(name: str, key: str, make: Callable[[Path], None], what: str) -> Path:
    """The folder `name/key`, filled by `make` if it is not there yet; older keys of the name go."""
    wanted = folder() / name / key
    if wanted.exists():
        return wanted
    with _locked(name):
        if wanted.exists():
            return wanted
        started = time.monotonic()
        say(f"{name}: {what}")
        for left in wanted.parent.glob("*"):
            if left.is_dir():
                shutil.rmtree(left)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=wanted.parent))
        make(staging)
        staging.chmod(0o755)
        staging.rename(wanted)
        say(f"{name}: done in {time.monotonic() - started:.0f} s")
    return wanted


def say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    place = folder() / name
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
