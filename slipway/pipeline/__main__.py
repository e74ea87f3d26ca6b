"""The build process: `python -m slipway.pipeline FOLDER --work DIR --parent FD`, started by the slipway command.

With `--compare` it builds nothing: it runs two artifacts side by side on the folder's evaluation data.
The outcome goes to `DIR/outcome.json`. Python's output is progress on standard error; what native libraries
print goes to `DIR/native.log`, shown only where they bring the process down.
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from slipway.pipeline.errors import PipelineError, shown
from slipway.pipeline.progress import Progress


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True, help="a pipe that closes when the command ends")
    parser.add_argument("--variant")
    parser.add_argument("--service", type=json.loads, help="the command that starts a service, as JSON: for a build")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("OURS", "THEIRS"), help="two artifacts, not a build")
    parser.add_argument("--target", help="in place of the target of model.yaml")
    parser.add_argument("--timer", nargs=2, metavar=("PYTHON", "MODULE"), help="times models on this machine's GPU")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    threading.Thread(target=_end_with, args=(arguments.parent,), daemon=True).start()
    if not arguments.verbose:
        _separate_native_output(arguments.work / "native.log")
        logging.disable(logging.WARNING)
    outcome = _outcome(arguments)
    (arguments.work / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    sys.stderr.flush()
    os._exit(0)  # libraries may hang or print while they shut down; the outcome is written


def _outcome(arguments: argparse.Namespace) -> dict[str, Any]:
    progress = Progress(arguments.folder.name, sys.stderr)
    try:
        return _compared(arguments) if arguments.compare else _built(arguments, progress)
    except PipelineError as error:
        if arguments.verbose:
            traceback.print_exc()
        return {"kind": error.kind, "message": str(error), "report": getattr(error, "report", None)}
    except Exception as error:
        if arguments.verbose:
            traceback.print_exc()
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        more = f"To see all of it: slipway model build {shown(arguments.folder)} --verbose"
        message = f"the pipeline failed at {place}: {type(error).__name__}: {error}. {more}"
        return {"kind": "failed", "message": message}


def _built(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    from slipway.pipeline.build import Wanted, build

    timer = [arguments.timer[0], "-m", arguments.timer[1]] if arguments.timer else None
    wanted = Wanted(variant=arguments.variant, target=arguments.target, timer=timer, service=arguments.service)
    return {"digest": build(arguments.folder, arguments.work, wanted, progress)}


def _compared(arguments: argparse.Namespace) -> dict[str, Any]:
    from slipway.pipeline.compare import compare

    return {"comparison": compare(arguments.folder, *arguments.compare)}


def _end_with(parent: int) -> None:
    """Ends this process and its children when the command that started it is gone, however it ended."""
    while os.read(parent, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def _separate_native_output(log: Path) -> None:
    shown = os.fdopen(os.dup(2), "w", buffering=1)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    sys.stdout = sys.stderr = shown


if __name__ == "__main__":
    main()
