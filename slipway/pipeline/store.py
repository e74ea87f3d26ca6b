"""The artifact store: a folder of artifacts named by digest, and the keys that lead to them."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from slipway.service.foreign import json_object
from slipway.service.manifest import ArtifactError, is_digest, verify


class Store:
    """Artifacts under `root`: `sha256-<hex>/`, `keys/<inputsKey>.json`, TensorBoard logs in `logs/<hex>/`.

    Beside them notes that a build needs not find out twice: `refused/<inputsKey>.json`, `compared/`.

    What is visible is whole: everything is written under `staging/`, synced, then renamed. The first writer of
    a key wins. Entries are trusted by hash only, so a damaged one counts as absent and is replaced.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def uri(self) -> str:
        return self.root.absolute().as_uri()

    def path(self, digest: str) -> Path:
        return self.root / digest.replace(":", "-")

    def logs(self, digest: str) -> Path:
        return self.root / "logs" / digest.removeprefix("sha256:")

    def find(self, key: str) -> str | None:
        """The digest stored under an inputsKey, or None where there is none or it is damaged."""
        digest = (_object(self._key_file(key)) or {}).get("digest")
        return digest if is_digest(digest) and self.whole(digest) else None

    def whole(self, digest: str) -> bool:
        """Whether the artifact is there and every file has its hash."""
        try:
            return verify(self.path(digest)) == digest
        except ArtifactError:
            return False

    def note(self, kind: str, key: str, fields: tuple[str, ...]) -> dict[str, Any] | None:
        """What was noted under `kind` and `key`; None where nothing was, or it is damaged: without one of `fields`."""
        noted = _object(self._note_file(kind, key))
        return noted if noted is not None and noted.keys() >= set(fields) else None

    def put_note(self, kind: str, key: str, content: dict[str, Any]) -> None:
        """Keeps a result that is no artifact: a refusal, a comparison. Whole or not at all."""
        self._folder(kind)
        with tempfile.NamedTemporaryFile("w", dir=self._folder("staging"), prefix=f"{key[:64]}.", delete=False) as file:
            json.dump(content, file)
        os.replace(file.name, self._note_file(kind, key))

    @contextmanager
    def claim(self, key: str, waiting: Callable[[], None]) -> Iterator[None]:
        """The right to build `key`; a second process calls `waiting` and blocks until the first has ended."""
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock_file(key))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            self._sweep(key)
            yield
        finally:
            lock.release()

    @contextmanager
    def staging(self, key: str) -> Iterator[Path]:
        """A folder in the store's file system for the holder of the claim; gone afterwards."""
        parent = self._folder("staging")
        path = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=parent))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def follow(self, key: str, digest: str) -> None:
        """Makes an artifact that is here the one under `key`, whatever was: a shared store says so."""
        self.put_note("keys", key, {"digest": digest})

    def commit(self, key: str, staged: Path, logs: Path | None = None) -> str:
        """Takes over a sealed artifact folder out of staging; returns the digest that now holds under `key`.

        That is another writer's where it was first. Raises ArtifactError where the staged folder is not whole.
        """
        digest = verify(staged)
        if (winner := self.find(key)) is not None:
            return winner
        _settle(staged)
        self._place(staged, self.path(digest), whole=lambda: self.whole(digest))
        if logs is not None and logs.is_dir():
            _settle(logs)
            self._folder("logs")
            self._place(logs, self.logs(digest), whole=self.logs(digest).is_dir)
        return self._enter(key, digest, staged.parent)

    def _place(self, source: Path, target: Path, whole: Callable[[], bool]) -> None:
        if whole():
            return
        if target.exists():
            os.rename(target, source.with_name(f"{source.name}.damaged"))
        try:
            os.rename(source, target)
        except OSError:
            if not whole():  # else another writer put the same content there just now
                raise
        _sync(target.parent)

    def _enter(self, key: str, digest: str, staging: Path) -> str:
        written = staging / "key.json"
        written.write_text(json.dumps({"digest": digest}))
        written.chmod(0o644)
        _sync(written)
        file = self._key_file(key)
        self._folder("keys")
        try:
            os.link(written, file)
        except FileExistsError:
            if (winner := self.find(key)) is not None:
                return winner
            os.replace(written, file)
        _sync(file.parent)
        return digest

    def _sweep(self, key: str) -> None:
        """Removes what killed builds left: of `key`, whose claim we hold, and of keys that nobody claims."""
        from filelock import FileLock, Timeout

        for path in self._folder("staging").iterdir():
            owner = path.name.partition(".")[0]
            if owner == key:
                _remove(path)
                continue
            with suppress(Timeout), FileLock(self._lock_file(owner), timeout=0):
                _remove(path)

    def _key_file(self, key: str) -> Path:
        return self.root / "keys" / f"{key}.json"

    def _note_file(self, kind: str, key: str) -> Path:
        return self.root / kind / f"{key}.json"

    def _lock_file(self, key: str) -> Path:
        return self._folder("locks") / key

    def _folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def _object(file: Path) -> dict[str, Any] | None:
    """None where it is not there, or damaged."""
    try:
        return json_object(file.read_bytes())
    except (OSError, ValueError):
        return None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Makes a tree readable whatever the umask was, and durable."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
