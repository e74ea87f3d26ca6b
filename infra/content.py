"""Keys of content: the same bytes give the same key, whatever the path, time stamps, mode bits or machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What is installed into an image, by what runs its model.
LOCKS = {"none": "requirements.txt", "nvidia": "requirements-gpu.txt"}


def serving_code() -> list[Path]:
    """The files of `service/` that every platform runs, and nothing that only builds models."""
    service = ROOT / "service"
    return sorted([*service.glob("*.py"), *(service / "page").iterdir()])


def image_recipe(accelerator: str) -> list[Path]:
    """The files that say how an image is made."""
    service = ROOT / "service"
    return [service / "Dockerfile", service / LOCKS[accelerator], *sorted((service / "image").glob("*.py"))]


def content_key(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 (hex) over the files' paths below `root` and their bytes, in order of the paths."""
    total = hashlib.sha256()
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        total.update(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}\n".encode())
    return total.hexdigest()
