"""Runs the Pulumi command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from service.pipeline.errors import PipelineError


def pulumi(*arguments: str, stdin: str = "", cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What `pulumi ARGUMENTS` prints. Raises PipelineError with the end of what it said."""
    command = ["pulumi", "--non-interactive", *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, env=env)
    except FileNotFoundError:
        raise PipelineError("no pulumi on PATH: run `make setup` and the export lines that it prints") from None
    if done.returncode:
        raise PipelineError(f"pulumi {' '.join(arguments[:2])}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def export_state(stack: str) -> dict[str, Any]:
    """The stack's state, as `pulumi stack import` takes it."""
    exported: dict[str, Any] = json.loads(pulumi("stack", "export", "--stack", stack))
    return exported
