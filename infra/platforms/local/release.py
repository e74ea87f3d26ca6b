"""The serving code as a fixed release: what runs is what was declared, not what the checkout holds by then."""

from __future__ import annotations

import compileall
import os
import shutil
import tempfile
from pathlib import Path

from slipway.infra.content import content_key
from slipway.infra.home import ROOT, home
from slipway.infra.resources.command import slipway, slipway_json
from slipway.infra.runtime import Runtime


def service_key(runtime: Runtime) -> str:
    """Names the serving code and its locked requirements by content."""
    return content_key(ROOT, [*runtime.serving_code(), runtime.lock("none")])


def prepare(runtime: Runtime, key: str, artifact_uri: str) -> tuple[str, str, str]:
    """Python, code folder and artifact folder of a release, made if they are not there yet.

    Raises:
        SlipwayError: the artifact is not in its store, or the service's environment can't be made.
    """
    code = home() / "services" / key
    if not code.is_dir():
        code.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix="new-", dir=code.parent))
        for file in runtime.serving_code():
            target = staging / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        compileall.compile_dir(staging, quiet=2)
        try:
            staging.rename(code)
        except OSError:
            shutil.rmtree(staging)
            if not code.is_dir():
                raise
    python = slipway("venv", os.path.relpath(runtime.lock("none"), ROOT), progress=True).strip()
    return python, str(code), slipway_json("model", "describe", artifact_uri)["path"]
