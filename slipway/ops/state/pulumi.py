"""Runs the Pulumi command."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from slipway.pipeline.errors import PipelineError


class NoStack(PipelineError):
    """The backend has no stack of that name."""


def pulumi(*arguments: str, stdin: str = "", cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What `pulumi ARGUMENTS` prints. Raises PipelineError, of which NoStack is one, with the end of what it said."""
    command = ["pulumi", "--non-interactive", *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, env=env)
    except FileNotFoundError:
        raise PipelineError("no pulumi on PATH: run `make setup` and the export lines that it prints") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        error = NoStack if "no stack named" in said else PipelineError
        raise error(f"pulumi {' '.join(arguments[:2])}: {said}")
    return done.stdout


def steps(*arguments: str) -> list[Mapping[str, Any]]:
    """The steps that `pulumi ARGUMENTS --json` tells of. Raises PipelineError where it tells nothing."""
    said = pulumi(*arguments, "--json")
    start = said.find("{")  # what the engine says of plugins and of the lock comes first
    if start < 0:
        raise PipelineError(f"pulumi {arguments[0]} says nothing that can be read: {said.strip()[-2000:]}")
    found: list[Mapping[str, Any]] = json.loads(said[start:]).get("steps") or []
    return found


def export_state(stack: str) -> dict[str, Any]:
    """The stack's state, as `pulumi stack import` takes it."""
    exported: dict[str, Any] = json.loads(pulumi("stack", "export", "--stack", stack))
    return exported


def project_name() -> str:
    """Of the Pulumi program in the current folder."""
    return str(yaml.safe_load(Path("Pulumi.yaml").read_text())["name"])


def short(urn: str) -> str:
    """A resource as a user knows it: its kind and its name."""
    kind, name = urn.split("::")[-2:]
    return f"{kind.rsplit('$', 1)[-1].rsplit(':', 1)[-1]} {name}"
