"""Stand-ins for commands, and where the real tool lies."""

from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def double(folder: Path, name: str, script: str) -> Path:
    """An executable that stands for `name`: a few lines of shell."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
