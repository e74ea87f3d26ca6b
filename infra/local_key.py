"""This machine's own API key, for local dev stacks that name none."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from slipway.infra.home import home

_BEGIN = "authorization: Bearer "


def key_file() -> Path:
    """The file, in the form of a header line so that `curl -H @file` sends it and no process list shows it."""
    return home() / "key.header"


def local_key() -> str:
    """The key, made where there is none yet, in a file that only its user can read. All dev stacks here share it."""
    file = key_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"key.{os.getpid()}.new")
    if not file.exists():
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"{_BEGIN}{secrets.token_hex(32)}\n")
        with contextlib.suppress(FileExistsError):  # another stack was faster
            os.link(temporary, file)
        temporary.unlink()
    file.chmod(0o600)
    return file.read_text().strip().removeprefix(_BEGIN)
