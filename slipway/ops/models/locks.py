"""Locks requirements with hashes."""

import os
import subprocess
import sys
from pathlib import Path

from slipway.infra.home import ROOT
from slipway.ops.models.refs import PIPELINE_LOCK, parse_ref
from slipway.pipeline.errors import BadInput, PipelineError, shown

PYTHON = "3.11"


def lock_model(name: str, upgrade: bool = False) -> Path | None:
    """Writes requirements.txt of one model: its requirements.in with the pipeline's own. Raises BadInput.

    None where it has neither: model and data are files, and the pipeline's own lock does.
    """
    folder = parse_ref(name)
    if not isinstance(folder, Path):
        raise BadInput(f"{name} is an artifact; only a model folder can be locked")
    wanted = folder / "requirements.in"
    if not wanted.is_file() and not (folder / "model.py").is_file():
        return None
    if not wanted.is_file():
        raise BadInput(f"{shown(wanted)} is missing: list in it the packages that model.py imports")
    return _compile([wanted, PIPELINE_LOCK.with_suffix(".in")], folder / "requirements.txt", upgrade)


def lock_pipeline(upgrade: bool = False) -> Path:
    """Writes the lock of the pipeline's own requirements."""
    return _compile([PIPELINE_LOCK.with_suffix(".in")], PIPELINE_LOCK, upgrade)


def _compile(sources: list[Path], target: Path, upgrade: bool) -> Path:
    """Compiles for every platform and Python from 3.11 on; the file names neither hosts nor paths."""
    import uv

    command = [
        uv.find_uv_bin(),
        "pip",
        "compile",
        "--quiet",
        *map(str, sources),
        "--output-file",
        str(target),
    ]
    command += [
        "--universal",
        "--python-version",
        PYTHON,
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
    ]
    command += ["--upgrade"] if upgrade else []
    done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, env=os.environ, check=False)
    if done.returncode:
        raise PipelineError(f"{shown(target)} was not locked; the reason of uv pip compile is above")
    return target
