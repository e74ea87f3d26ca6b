"""Keys of content: the same code gives the same key, whatever the path, time stamps, mode bits or machine."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from slipway.infra.home import ROOT

from slipway.source import FORMAT, source_hash


def files_of(*patterns: str) -> list[Path]:
    """The files below the root that the patterns name, without byte code."""
    found = {file for pattern in patterns for file in ROOT.glob(pattern) if file.is_file()}
    return sorted(file for file in found if "__pycache__" not in file.parts)


def content_key(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 (hex) over the files' paths below `root` and what they do, in order of the paths."""
    total = hashlib.sha256(f"{FORMAT}\n".encode())
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        total.update(f"{_hash(file)}  {name}\n".encode())
    return total.hexdigest()


@functools.cache
def _hash(file: Path) -> str:
    """Once for each process: all services of a stack run the same code."""
    return source_hash(file)
