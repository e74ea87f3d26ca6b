"""Clears what a killed update leaves in a file backend."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil


def stale_locks(backend_url: str) -> list[Path]:
    """Lock files of a `file://` backend whose owner was on this machine and is dead.

    A lock of another machine, of a live process or that can't be read is never in it: that is for its owner, or for
    `pulumi cancel`, to decide.
    """
    folder = backend_folder(backend_url)
    locks = sorted((folder / ".pulumi" / "locks").rglob("*.json")) if folder else []
    return [lock for lock in locks if _owner_is_dead(lock)]


def backend_folder(backend_url: str) -> Path | None:
    """The folder of a `file://` backend; None for any other."""
    parts = urlsplit(backend_url)
    return Path(unquote(parts.netloc + parts.path)).expanduser() if parts.scheme == "file" else None


def _owner_is_dead(lock: Path) -> bool:
    try:
        owner = json.loads(lock.read_text())
        here, pid = owner["hostname"] == socket.gethostname(), int(owner["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not here:
        return False
    try:
        return "pulumi" not in psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
