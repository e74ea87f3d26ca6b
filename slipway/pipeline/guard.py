"""Runs what may bring its process down in a child: optimizers, quantizers, and a model that nobody has run before.

The children are forks of one process that holds the libraries and no threads, so each costs milliseconds.
"""

import multiprocessing
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from slipway.pipeline.errors import PipelineError

SECONDS = 1800.0  # longer than any step that ends
PRELOADED = ["onnxslim", "onnxruntime.quantization", "slipway.pipeline.variants"]
_context = multiprocessing.get_context("forkserver")


class Failed(Exception):
    """A step ended in an error, a signal or not at all; the message says which, on one line."""


def start() -> None:
    """Starts the process that the children come from, which takes a second beside whatever else is done."""
    from multiprocessing import forkserver

    _context.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()


def guarded(function: Callable[..., Any], *arguments: Any, seconds: float = SECONDS) -> Any:
    """What a function of a module answers in a child process; files it writes stay.

    Raises the PipelineError that it raises, and Failed for all else, such as the end of its process.
    """
    start()
    ours, theirs = _context.Pipe(duplex=False)
    child = _context.Process(target=_answer, args=(theirs, function, arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            child.kill()
            raise Failed(f"it had not ended after {seconds:.0f} s")
        error, answer = ours.recv()
    except EOFError:
        child.join()
        raise Failed(_end(child.exitcode)) from None
    finally:
        ours.close()
        child.join()
    if isinstance(error, PipelineError):
        raise error
    if error is not None:
        raise Failed(error)
    return answer


def words(error: BaseException) -> str:
    """An error on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _answer(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    outcome: tuple[PipelineError | str | None, Any]
    try:
        outcome = None, function(*arguments)
    except PipelineError as error:
        outcome = error, None
    except BaseException as error:
        outcome = words(error), None
    pipe.send(outcome)


def _end(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process ended with signal {-code} ({signal.Signals(-code).name})"
    return f"its process ended with code {code}"
