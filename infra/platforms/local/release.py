"""The serving code as a fixed release: what runs is what was declared, not what the checkout holds by then."""

from __future__ import annotations

import compileall
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from slipway.infra.content import content_key
from slipway.infra.home import ROOT, home
from slipway.infra.resources.command import slipway, slipway_json
from slipway.infra.runtime import Runtime

from slipway.source import source_hash


def service_key(runtime: Runtime) -> str:
    """Names the serving code and its locked requirements by content."""
    return content_key(ROOT, [*runtime.serving_code(), runtime.lock("none")])


def _is_whole(code: Path, runtime: Runtime) -> bool:
    """Whether a copy does what the checkout's code does, as its name says."""
    copies = ((file, code / file.relative_to(ROOT)) for file in runtime.serving_code())
    try:
        return all(one.read_bytes() == two.read_bytes() or source_hash(one) == source_hash(two) for one, two in copies)
    except (OSError, SyntaxError, ValueError):
        return False


def prepare(runtime: Runtime, key: str, artifact_uri: str) -> tuple[str, str, str]:
    """Python, code folder and artifact folder of a release, made if they are not there yet.

    Raises:
        SlipwayError: the artifact is not in its store, or the service's environment can't be made.
    """
    python = slipway("venv", os.path.relpath(runtime.lock("none"), ROOT), progress=True).strip()
    return python, str(copied_code(runtime, key)), slipway_json("model", "describe", artifact_uri)["path"]


def copied_code(runtime: Runtime, key: str) -> Path:
    """The folder with the serving code of a key; made where there is none yet, or a damaged one."""
    code = home() / "services" / key
    if not _is_whole(code, runtime):
        code.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="new-", dir=code.parent) as made:
            staging = Path(made) / "code"
            for file in runtime.serving_code():
                target = staging / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
            with contextlib.suppress(FileNotFoundError):
                code.rename(Path(made) / "damaged")  # what runs on it has loaded what it needs
            try:
                staging.rename(code)
            except OSError:
                if not _is_whole(code, runtime):  # else another stack was faster
                    raise
    compileall.compile_dir(code, quiet=2, force=True)  # byte code is believed unread, and may be damaged
    return code
