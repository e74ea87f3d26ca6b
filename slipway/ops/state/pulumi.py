"""Runs the Pulumi command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from slipway.ops.state.settings import ENGINE, from_make
from slipway.pipeline.errors import PipelineError


class NoStack(PipelineError):
    """The backend has no stack of that name."""


# The second: the folder that is the backend is gone with its last stack, or was never made.
_NO_STACK = re.compile("no stack named|unable to open state directory .*no such file")


def pulumi(*arguments: str, stdin: str = "", cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What `pulumi ARGUMENTS` prints. Raises PipelineError, of which NoStack is one, with the end of what it said."""
    command = [shutil.which("pulumi") or str(ENGINE / "pulumi"), "--non-interactive", *arguments]
    environment = {**from_make(_stack(arguments)), **(os.environ if env is None else env)}
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, env=environment)
    except FileNotFoundError:
        raise PipelineError("there is no Pulumi engine: run `make setup`, which installs one") from None
    if done.returncode:
        said = (done.stderr.strip() or _errors(done.stdout))[-2000:]
        error = NoStack if _NO_STACK.search(said) else PipelineError
        raise error(f"pulumi {' '.join(arguments[:2])}: {said}")
    return done.stdout


def _errors(printed: str) -> str:
    """What a command said went wrong: with --json it is among the diagnostics of one long object."""
    try:
        told = json.loads(printed[printed.index("{") :])["diagnostics"]
        return "".join(each["message"] for each in told if each["severity"] == "error").strip()
    except (ValueError, KeyError, TypeError):
        return printed.strip()


def _stack(arguments: Sequence[str]) -> str:
    """The one that the command names; empty where it names none."""
    named = iter(arguments)
    return next((next(named, "") for each in named if each == "--stack"), "")


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
    """Of the Pulumi program in the current folder. Raises PipelineError where there is none."""
    try:
        return str(yaml.safe_load(Path("Pulumi.yaml").read_text())["name"])
    except FileNotFoundError:
        raise PipelineError(f"{Path.cwd()} has no Pulumi.yaml: run this in the folder of the program") from None


@contextmanager
def program(project: str, text: str) -> Iterator[Path]:
    """A folder with a program of one file, which runs in this virtualenv; gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "__main__.py").write_text(text)
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": project, "runtime": runtime}))
        yield folder


def short(urn: str) -> str:
    """A resource as a user knows it: its kind and its name."""
    kind, name = urn.split("::")[-2:]
    return f"{kind.rsplit('$', 1)[-1].rsplit(':', 1)[-1]} {name}"
