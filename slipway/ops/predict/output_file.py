"""An output file that grows batch by batch and survives kill -9: every row once, in order."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from slipway.pipeline.errors import BadInput


class Output:
    """Writes `PATH.part` and, after each batch, how far it is valid to `PATH.state`; `finish` makes it PATH.

    `plan` is what the rows follow from: a state of another plan is not gone on with. `rows`: how many are there
    already. What a killed run wrote beyond its state is cut off. Raises BadInput where PATH is there, another process
    writes it, or the plan has changed; `restart` throws away what is there.
    """

    def __init__(self, path: Path, plan: dict[str, Any], *, restart: bool) -> None:
        self._path, self._plan = path, plan
        self._state = path.with_name(f"{path.name}.state")
        if path.exists() and not restart:
            raise BadInput(f"{path} is there already: name another file, or --restart to write it anew")
        self._part = path.with_name(f"{path.name}.part")
        self._file = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"{path} is being written by another slipway") from None
        state = {} if restart else self._read()
        if state.get("bytes", 0) > self._part.stat().st_size:  # of a run that was finished
            state = {}
        self.rows, self._bytes = state.get("rows", 0), state.get("bytes", 0)
        self._file.truncate(self._bytes)
        self._file.seek(self._bytes)

    def append(self, content: bytes, rows: int) -> None:
        """`rows` more rows; they count once the state says so."""
        self._file.write(content)
        self._file.flush()
        self.rows, self._bytes = self.rows + rows, self._bytes + len(content)
        temporary = self._state.with_suffix(".state.new")
        temporary.write_text(json.dumps({"rows": self.rows, "bytes": self._bytes, "plan": self._plan}))
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

    def _read(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise BadInput(f"{self._state} can't be read ({error}): --restart begins anew") from None
        if state["plan"] != self._plan:
            changed = [name for name, value in self._plan.items() if state["plan"].get(name) != value]
            what = ", ".join(changed) or "what was asked for"
            raise BadInput(f"{self._path}.part is of a run that differs in {what}: --restart begins anew")
        return state
