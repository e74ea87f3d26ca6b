"""Runs the `slipway` command: the seam to the model pipeline, which the program never imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from typing import Any

import pulumi
from slipway.infra.home import ROOT


class SlipwayError(pulumi.RunError):
    """A step was refused or failed; the message says what to do, and the engine shows it without our frames."""


def slipway(*arguments: str, progress: bool = False) -> str:
    """What `slipway ARGUMENTS` prints on stdout. `progress`: pass on what it says meanwhile, line by line.

    Raises:
        SlipwayError: it exited non-zero; the message is the end of what it said.
    """
    path = os.pathsep.join(dict.fromkeys([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])).rstrip(":")
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    said: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        [sys.executable, "-m", "slipway.cli", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        for line in process.stderr:
            said.append(line)
            if progress:
                sys.stderr.write(line)
        answer = process.stdout.read()
    if process.returncode:
        raise SlipwayError(
            "".join(said).strip().removeprefix("error: ")
            or f"slipway {' '.join(arguments)} exited with {process.returncode}"
        )
    return answer


def slipway_json(*arguments: str, progress: bool = False) -> dict[str, Any]:
    """The JSON object that `slipway ARGUMENTS --json` answers."""
    answer: dict[str, Any] = json.loads(slipway(*arguments, "--json", progress=progress))
    return answer
