"""The name of what goes into a build: it decides whether anything has to run."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from slipway.service import artifact
from slipway.service.manifest import hash_of
from slipway.source import FORMAT, source_hash

PIPELINE = Path(__file__).resolve().parent
LOCK = PIPELINE / "requirements.txt"
SERVICE = Path(artifact.__file__).resolve().parent
# What the pipeline uses of it.
BESIDE = tuple(SERVICE / name for name in ("artifact.py", "foreign.py", "manifest.py", "telemetry/features.py"))


def inputs_key(
    folder: Path,
    *,
    target: str,
    variant: str | None = None,
    data: Mapping[str, str] | None = None,
    pipeline: Path = PIPELINE,
    beside: tuple[Path, ...] = BESIDE,
) -> str:
    """SHA-256 in hex over the content of the model folder, what the pipeline's code does, its lock, target and pinned
    variant, and `data`: by declared name what tells its versions apart.

    Only names and contents count: no time stamp, mode, absolute path, host or symlink. Of the pipeline's code comments,
    docstrings and layout do not count either: a model is not trained again because the product explains itself better.
    The user's own folder counts to the byte.
    """
    files = [(f"model/{name}", hash_of(file)) for name, file in _named(folder)]
    code = [(f"pipeline/{name}", source_hash(file)) for name, file in _named(pipeline) if file.suffix == ".py"]
    code += [(f"beside/{file.name}", source_hash(file)) for file in beside]
    inputs: dict[str, Any] = {
        "format": FORMAT,
        "name": folder.name,
        "target": target,
        "variant": variant,
        "files": sorted(files),
        "code": sorted(code),
        "lock": hash_of(pipeline / LOCK.name),
    }
    if data:
        inputs["data"] = sorted(data.items())
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def content_hash(path: Path) -> str:
    """Of a file's content, or of all names and contents in a folder, as in a model folder. Raises OSError."""
    if path.is_file():
        return hash_of(path)
    files = sorted((name, hash_of(file)) for name, file in _named(path))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _named(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in _files(folder, ()):
        yield file.relative_to(folder).as_posix(), file


def _files(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:  # a link back to a folder that holds it
        return
    for entry in os.scandir(folder):
        if entry.name.startswith(".") or entry.name == "__pycache__" or entry.name.endswith(".pyc"):
            continue
        if entry.is_dir():
            yield from _files(folder / entry.name, (*above, real))
        elif entry.is_file():
            yield folder / entry.name
