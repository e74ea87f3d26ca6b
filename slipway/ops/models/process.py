"""The pipeline's process, in a model's own environment."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from slipway.infra.home import ROOT
from slipway.pipeline.errors import BadInput, PipelineError, from_outcome

CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGBUS)


def run_pipeline(python: Path, folder: Path, work: Path, home: Path, *options: str, verbose: bool) -> dict[str, Any]:
    """Runs `python -m slipway.pipeline` to its end, or ends it with everything it started; returns its outcome.

    Raises what it raised, or PipelineError with the end of its output where it did not get that far.
    """
    ours, theirs = os.pipe()
    command = [python, "-m", "slipway.pipeline", folder, "--work", work, "--parent", ours, *options]
    command += ["--verbose"] if verbose else []
    process = subprocess.Popen(
        [str(each) for each in command],
        cwd=ROOT,
        env=_environment(home, verbose),
        stdin=subprocess.DEVNULL,
        stdout=2,
        pass_fds=(ours,),
        start_new_session=True,
    )
    os.close(ours)
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(theirs)
    return _outcome(code, work)


def _environment(home: Path, verbose: bool) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "0" if verbose else "3",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "KERAS_HOME": str(home / "keras"),
    }
    return environment if verbose else environment | {"PYTHONWARNINGS": "ignore"}


def _outcome(code: int, work: Path) -> dict[str, Any]:
    try:
        outcome: dict[str, Any] = json.loads((work / "outcome.json").read_bytes())
    except (OSError, ValueError):
        log = work / "native.log"
        last = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else []
        if -code in CRASHES:  # what optimizes and runs the model is guarded: this was train(), or its exporter
            words = f"the build process ended with {signal.Signals(-code).name} in the model's own code or framework"
            raise BadInput("\n  ".join([words, *last])) from None
        how = f"signal {-code}" if code < 0 else f"code {code}"
        raise PipelineError("\n  ".join([f"the build process ended with {how}", *last])) from None
    if "message" in outcome:
        raise from_outcome(outcome)
    return outcome
