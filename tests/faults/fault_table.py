"""The fault table: every fault at every operation, and random kills; then `slipway recover` and `up`.

python -m tests.faults.fault_table [--kinds fail,hang,die] [--kills 50] [--operations 1-30]
    [--program DIR --stack NAME --operations 1-119 --every 10, or --operations 5,AlertPolicy]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from slipway.simulator.throwaway import EXAMPLES, Throwaway

PROGRAM = EXAMPLES / "thirty"
OPERATIONS = 30
QUIET = 1.5
SECONDS = 600  # of a whole cloud's stack, with others beside it


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one fault left. `astray`: orphans, ghosts and duplicates after the last `up`."""

    fault: str
    recovered: str
    astray: list[str]
    problem: str = ""

    @property
    def good(self) -> bool:
        return not self.astray and not self.problem


def at_operation(prepared: Path, kind: str, k: int | str) -> Outcome:
    """A first update that meets a fault at its k-th operation, or at the first on a type or name."""
    return _outcome(prepared, f"{kind}@{k}", _hang if kind == "hang" else _fail)


def at_moment(prepared: Path, made: int, delay: float) -> Outcome:
    """A first update whose engine is killed `delay` seconds after the cloud holds `made` things; the cloud lives on."""
    return _outcome(prepared, "", lambda stack: _kill(stack, made, delay), f"kill at {made} + {delay * 1000:.0f} ms")


def prepare(folder: Path, program: Path = PROGRAM, stack: str = "example") -> Path:
    """An empty stack to start from, made once: to make one takes as long as to update it."""
    with Throwaway(folder, program, stack):
        return folder


def _outcome(prepared: Path, fault: str, strike: Callable[[Throwaway], None], name: str = "") -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(prepared, folder, dirs_exist_ok=True, symlinks=True)
        (chosen,) = {file.stem for file in (prepared / "state" / ".pulumi" / "stacks").rglob("*.json")}
        stack = Throwaway(Path(folder), prepared / "program", chosen)
        stack.fault, stack.seconds = fault, SECONDS
        with stack:
            recovered, problem = "", ""
            try:
                strike(stack)
                recovered = stack.recover()
                stack.up()
                problem = "operations are still pending" if stack.state().get("pending_operations") else ""
            except (AssertionError, subprocess.TimeoutExpired) as error:
                problem = str(error)[-1500:]
            return Outcome(fault=name or fault, recovered=recovered, astray=stack.astray(), problem=problem)


def _fail(stack: Throwaway) -> None:
    stack.up(fails=True)
    if stack.fault.startswith("die"):
        stack.start()


def _hang(stack: Throwaway) -> None:
    update = stack.start_up()
    at = stack.fault.partition("@")[2]
    _until_quiet(stack, int(at) if at.isdecimal() else 1)
    _end(update)


def _kill(stack: Throwaway, made: int, delay: float) -> None:
    update = stack.start_up()
    while update.poll() is None and len(stack.books.all()) < made:
        time.sleep(0.002)
    time.sleep(delay)
    _end(update)
    # What the engine had asked for is done, whether anybody waits for the answer or not.
    time.sleep(0.3)


def _end(update: subprocess.Popen[bytes]) -> None:
    update.send_signal(signal.SIGKILL)
    update.wait()


def _until_quiet(stack: Throwaway, made: int) -> None:
    """Waits until the clouds hold what was made and change no more: the update hangs."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET or before < made:
        now = len(stack.books.all())
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.1)


def main() -> None:
    """Prints one line per fault, and why where it did not converge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="fail,hang,die", help="comma-separated, of those in faults.py")
    parser.add_argument("--program", type=Path, default=PROGRAM, help="folder of the Pulumi program")
    parser.add_argument("--stack", default="example", help="as in Pulumi.<stack>.yaml")
    parser.add_argument("--operations", default=f"1-{OPERATIONS}", help="first-last, or one by one with commas")
    parser.add_argument("--every", type=int, default=1, help="of first-last, each n-th")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=9)
    options = parser.parse_args()
    first, _, last = options.operations.partition("-")
    operations: list[int | str] = [int(each) if each.isdecimal() else each for each in first.split(",") if each]
    if last:
        operations = [*range(int(first), int(last) + 1, options.every)]
    most = max((each for each in operations if isinstance(each, int)), default=OPERATIONS)
    kinds, moments = [each for each in options.kinds.split(",") if each], random.Random(options.seed)
    started, bad, total = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        prepared = prepare(Path(folder), options.program.resolve(), options.stack)
        waiting = [
            *(pool.submit(at_operation, prepared, kind, k) for kind in kinds for k in operations),
            *(
                pool.submit(at_moment, prepared, moments.randrange(most), moments.uniform(0, 0.05))
                for _ in range(options.kills)
            ),
        ]
        for outcome in (each.result() for each in as_completed(waiting)):
            total, bad = total + 1, bad + (not outcome.good)
            found = outcome.recovered.count("imported")
            print(f"{outcome.fault:18} {'converged' if outcome.good else 'FAILED'}, {found} imported", flush=True)
            for line in [] if outcome.good else [outcome.recovered, *outcome.astray, outcome.problem]:
                print(indent(line, "    "))
    print(f"{total - bad} of {total} converged, {time.monotonic() - started:.0f} s")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
