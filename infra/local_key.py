"""This machine's own API key, for local dev stacks that name none."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from pathlib import Path

from slipway.infra.home import home

_BEGIN = "authorization: Bearer "
_WHOLE = re.compile(rf"{_BEGIN}([0-9a-f]{{64}})\n?")


def key_file() -> Path:
    """The file, in the form of a header line so that `curl -H @file` sends it and no process list shows it."""
    return home() / "key.header"


def local_key() -> str:
    """The key, in a file that only its user can read; made where there is none yet, or no whole one. All dev stacks
    here share it."""
    file = key_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # of stacks that start at once one makes it
        if (key := whole_key(file)) is None:
            key = secrets.token_hex(32)
            _write(file, f"{_BEGIN}{key}\n")
        file.chmod(0o600)
        return key
    finally:
        os.close(folder)


def whole_key(file: Path) -> str | None:
    """The key in a file that `local_key` wrote, None where there is none, or a part of one: that is quickly guessed."""
    try:
        found = _WHOLE.fullmatch(file.read_text())
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return found[1] if found else None


def _write(file: Path, content: str) -> None:
    temporary = file.with_name(f"{file.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(content)
    temporary.replace(file)
