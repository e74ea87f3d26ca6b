"""An output file that grows batch by batch and survives kill -9: every row once, in order."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from slipway.pipeline.errors import BadInput
from slipway.service.foreign import PIECE, json_object, opened

_LARGEST_STATE = 64 << 20


class Output:
    """Writes `PATH.part` and, after each batch, how far it is valid to `PATH.state`; `finish` makes it PATH.

    `plan` is what the rows follow from: a state of another plan is not gone on with. `rows`: how many are there
    already. What a killed run wrote beyond its state is cut off; what it wrote before is known by its hash. Others may
    write to the folder too: no link is followed. Raises BadInput where PATH is there, another process writes it, the
    plan has changed, or what is there is damaged; `restart` throws away what is there.
    """

    def __init__(self, path: Path, plan: dict[str, Any], *, restart: bool) -> None:
        self._path, self._plan = path, plan
        self._state = path.with_name(f"{path.name}.state")
        if path.exists() and not restart:
            raise BadInput(f"{path} is there already: name another file, or --restart to write it anew")
        self._part = path.with_name(f"{path.name}.part")
        self._file = self._opened(self._part)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"{path} is being written by another slipway") from None
        self.rows, self._bytes, self._hash = 0, 0, hashlib.sha256()
        if not restart and os.fstat(self._file.fileno()).st_size:  # else it is the state of a run that was finished
            self._resume()
        self._file.truncate(self._bytes)
        self._file.seek(self._bytes)

    def append(self, content: bytes, rows: int) -> None:
        """`rows` more rows; they count once the state says so."""
        self._file.write(content)
        self._file.flush()
        self.rows, self._bytes = self.rows + rows, self._bytes + len(content)
        self._hash.update(content)
        state = {"rows": self.rows, "bytes": self._bytes, "sha256": self._hash.hexdigest(), "plan": self._plan}
        temporary = self._state.with_suffix(".state.new")
        temporary.unlink(missing_ok=True)
        with temporary.open("x") as file:
            json.dump(state, file)
        temporary.replace(self._state)

    def finish(self) -> None:
        """The rows are all there."""
        os.fsync(self._file.fileno())
        self._part.replace(self._path)
        self._state.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def _opened(self, path: Path) -> BinaryIO:
        try:
            return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")
        except OSError as error:
            why = "it is a link" if error.errno == errno.ELOOP else error.strerror
            raise BadInput(f"{path} can't be written: {why}") from None

    def _resume(self) -> None:
        """Goes on after the rows that the state tells of, and `.part` holds."""
        try:
            with opened(self._state.parent, self._state.name) as file:
                state = json_object(file.read(_LARGEST_STATE))
            plan, rows, size = state["plan"], int(state["rows"]), int(state["bytes"])
            expected = state["sha256"]
        except FileNotFoundError:
            return
        except (KeyError, OSError, TypeError, ValueError) as error:
            raise BadInput(f"{self._state} can't be read ({error}): --restart begins anew") from None
        if plan != self._plan:
            changed = [
                name for name, value in self._plan.items() if not isinstance(plan, dict) or plan.get(name) != value
            ]
            what = ", ".join(changed) or "what was asked for"
            raise BadInput(f"{self._part} is of a run that differs in {what}: --restart begins anew")
        left = size
        while left > 0 and (piece := self._file.read(min(left, PIECE))):
            self._hash.update(piece)
            left -= len(piece)
        if rows < 0 or left or self._hash.hexdigest() != expected:
            raise BadInput(f"{self._part} is not what {self._state.name} tells of: --restart begins anew")
        self.rows, self._bytes = rows, size
