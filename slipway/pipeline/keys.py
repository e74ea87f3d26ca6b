"""The name of what goes into a build: it decides whether anything has to run."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from service.artifact import hash_of

SERVICE = Path(__file__).resolve().parents[1]
BESIDE = ("artifact.py", "features.py")  # what the pipeline uses of the service


def inputs_key(folder: Path, *, target: str, variant: str | None = None, service: Path = SERVICE) -> str:
    """SHA-256 in hex over the content of the model folder, the pipeline's code and lock, target and pinned variant.

    Only names and contents count: no time stamp, mode, absolute path, host or symlink.
    """
    files = [*_contents("model", folder), *_contents("pipeline", service / "pipeline")]
    files += [(name, hash_of(service / name)) for name in ("artifact.py", "features.py")]
    inputs = {"name": folder.name, "target": target, "variant": variant, "files": sorted(files)}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _contents(prefix: str, folder: Path) -> Iterator[tuple[str, str]]:
    for file in _files(folder, ()):
        yield f"{prefix}/{file.relative_to(folder).as_posix()}", hash_of(file)


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
