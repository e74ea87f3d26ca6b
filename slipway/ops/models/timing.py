"""How long a service takes from its process's start to its first answer, found out once for each artifact."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.infra.home import ROOT
from slipway.infra.runtime import RUNTIMES, Runtime
from slipway.ops.models.virtualenvs import environment
from slipway.pipeline.errors import PipelineError

if TYPE_CHECKING:
    from slipway.ops.models.builds import Model

NOTE = "started"
TIMEOUT = 300.0


def measured(model: Model, home: Path) -> dict[str, Any]:
    """{startSeconds, memoryBytes} of a built model on this machine; None for what could not be found out.

    `memoryBytes`: the peak of a process with the model alone, as its report has it.
    """
    assert model.path is not None and model.digest is not None
    report = model.report()
    chosen = next(each for each in report["variants"] if each["name"] == report["choice"]["variant"])
    noted = model.store.note(NOTE, model.digest)
    if noted is None:
        noted = {"seconds": _start(RUNTIMES[model.kind], model.path, home)}
        if noted["seconds"] is not None:
            model.store.put_note(NOTE, model.digest, noted)
    return {"startSeconds": noted["seconds"], "memoryBytes": chosen.get("memoryBytes")}


def _start(runtime: Runtime, artifact: Path, home: Path) -> float | None:
    try:
        python = environment([runtime.lock("none")], home / "envs")
    except PipelineError:
        return None  # whoever serves will hear why
    ready, told = os.pipe()
    command = [
        python,
        "-m",
        runtime.module,
        "--artifact",
        artifact,
        "--access",
        "open",
        "--port",
        0,
        "--ready-fd",
        told,
    ]
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(each) for each in command],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": scratch, "BENTOML_HOME": scratch},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(told,),
        )
        os.close(told)
        try:
            there, _, _ = select.select([ready], [], [], TIMEOUT)
            good = bool(there) and os.read(ready, 6) == b"ready\n"
            return round(time.perf_counter() - begun, 2) if good else None
        finally:
            os.close(ready)
            process.kill()
            process.wait()
