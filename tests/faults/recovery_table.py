"""What can happen to a stack, what its user sees, and what heals it: each row is done and undone on the real engine.

python -m tests.faults.recovery_table [--kills 50] [--write]    writes docs/recovery.md
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from slipway.infra.home import ROOT

from slipway.simulator.throwaway import EXAMPLES, Throwaway
from tests.faults import fault_table

PROGRAM = EXAMPLES / "recovery"
PATIENCE = 300  # seconds for a command, on a machine that has other work
PAGE = ROOT / "docs" / "recovery.md"
BEGIN, END = "<!-- made by tests/faults/recovery_table.py -->\n", "<!-- up to here -->"
CLUSTER = ("aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup", "kubernetes:core/v1:Namespace")


@dataclass(frozen=True, kw_only=True)
class Case:
    """`strike` does it and returns what the user's next command said, of which `sees` is shown. `heals`: the commands
    that put it right, and `tells` what they have to say. `ends`: undoes what is not the stack's, as a login does."""

    what: str
    strike: Callable[[Throwaway], str]
    sees: str
    heals: tuple[str, ...] = ("make up",)
    tells: str = ""
    ends: Callable[[Throwaway], None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`seen`: the line that the user sees. `problem`: empty where the stack is whole again."""

    case: Case
    seen: str
    problem: str

    @property
    def row(self) -> str:
        heals = ", ".join(f"`{each}`" for each in self.case.heals)
        return f"| {self.case.what} | `{self.seen}` | {heals} |"


def outcome(case: Case, stack: Throwaway, *, thorough: bool = True) -> Outcome:
    """Does it to a stack that is whole, and heals it: everything is there once. Where it is to be `thorough`, a second
    update has to change nothing."""
    said = case.strike(stack)
    found = re.search(case.sees, said)
    case.ends(stack)
    told = ""
    for command in case.heals:
        # `make up` runs recover first; what else it does is the engine's update.
        options = [each for each in command.split() if each.startswith("--")]
        told += stack.recover(*options, fails=None) if command.startswith(("make up", "slipway recover")) else ""
        told += stack.up(fails=None) if command == "make up" else ""
    problems = [] if found else [f"{case.sees!r} was not said: {said[-600:]}"]
    problems += [] if re.search(case.tells, told) else [f"{case.tells!r} was not told: {told[-600:]}"]
    problems += stack.astray()
    if thorough and not problems and " unchanged" not in (again := stack.up("--expect-no-changes", fails=None)):
        problems.append(again[-600:])
    return Outcome(case=case, seen=_plain(found[0]) if found else "", problem="\n".join(problems))


def _plain(line: str) -> str:
    """Without what differs from run to run."""
    line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{32}\b", "...", line.strip())
    return re.sub(r"\S*/(example\.json)", r".../\1", line).replace("|", "/")


def _lose(stack: Throwaway, *kinds: str) -> None:
    for each in stack.books.all():
        if each["type"] in kinds:
            stack.books.remove(each["type"], each["id"])


def _registry(stack: Throwaway) -> str:
    _lose(stack, "aws:ecr/repository:Repository")
    return stack.preview()


def _killed(stack: Throwaway) -> str:
    """An engine that is killed while the cloud is at work; the user tries `pulumi up`."""
    _lose(stack, "aws:ecr/repository:Repository")
    stack.start("hang@1")
    update = stack.start_up()
    while not any(each["name"] == "images" for each in stack.books.all()):
        time.sleep(0.05)
    update.kill()
    update.wait()
    stack.start()
    return stack.up(fails=True)


def _running(stack: Throwaway) -> str:
    """Another's update, which is held up for as long as we look. Its lock is left alone."""
    update = stack.start_up()
    while not any((stack.folder / "state" / ".pulumi" / "locks").rglob("*.json")):
        time.sleep(0.02)
    update.send_signal(signal.SIGSTOP)
    stack.recover(fails=None)
    said = stack.up(fails=True)
    update.send_signal(signal.SIGCONT)
    assert update.wait() == 0
    return said


def _cut_off(stack: Throwaway) -> str:
    (file,) = (stack.folder / "state" / ".pulumi" / "stacks").rglob("example.json")
    file.write_text(file.read_text()[:200])
    return stack.recover(fails=True)


def _old_state(stack: Throwaway) -> str:
    """A version of the state from before a network was replaced and a registry was made."""
    (file,) = (stack.folder / "state" / ".pulumi" / "stacks").rglob("example.json")
    program = stack.program / "__main__.py"
    whole = program.read_text()
    lines = [line for line in whole.splitlines() if "ecr.Repository" not in line]
    program.write_text("\n".join(lines).replace("10.0.0.0/16", "10.9.0.0/16"))
    stack.up()
    old = file.read_bytes()
    program.write_text(whole)
    stack.up()
    file.write_bytes(old)
    return stack.preview()


def _expired(stack: Throwaway) -> str:
    _lose(stack, "aws:ecr/repository:Repository")
    stack.start("expire@1")
    return stack.up(fails=True)


def _died(stack: Throwaway) -> str:
    _lose(stack, "aws:ecr/repository:Repository")
    stack.start("die@1")
    return stack.up(fails=True)


def _cluster(stack: Throwaway) -> str:
    _lose(stack, *CLUSTER)
    return stack.up(fails=True)


def _failed_nodes(stack: Throwaway) -> str:
    """The provider ends while the cloud makes nodes, and the cloud fails at it."""
    _lose(stack, "aws:eks/nodeGroup:NodeGroup")
    stack.start("die@1")
    said = stack.up(fails=True)
    (nodes,) = [each for each in stack.books.all() if each["name"] == "nodes"]
    stack.books.put({**nodes, "outputs": {**nodes["outputs"], "status": "CREATE_FAILED"}})
    return said


def _by_hand(stack: Throwaway) -> str:
    (bucket,) = [each for each in stack.books.all() if each["name"] == "models"]
    changed = {"tags": {"team": "another"}}
    stack.books.put({**bucket, "inputs": {**bucket["inputs"], **changed}, "outputs": {**bucket["outputs"], **changed}})
    return stack.slipway("drift", fails=True)


def _down_and_up(stack: Throwaway) -> str:
    stack.destroy()
    assert [each["name"] for each in stack.books.all()] == ["key", "key"]
    return stack.up(fails=True)


def _again(stack: Throwaway) -> None:
    stack.start()


CASES = (
    Case(
        what="`pulumi up` was killed: its lock and a half-made resource stay", strike=_killed,
        sees=r"the stack is currently locked by 1 lock", tells=r"Removed the lock of an update that was killed(.|\n)*"
        r"Pending create of Repository images: found and imported",
    ),
    Case(
        what="somebody else's update is running", strike=_running, heals=("wait", "make up"),
        sees="the stack is currently locked by 1 lock",
    ),
    Case(
        what="the state was cut off", strike=_cut_off, heals=("slipway recover --backup", "make up"),
        sees=r"\S+ can't be read as a state; slipway recover --backup puts the one before it in its place",
        tells="the one before it is in its place",
    ),
    Case(
        what="an old version of the state was brought back", strike=_old_state,
        heals=("slipway recover --backup", "make up"),
        sees=r"\+ +aws:ecr:Repository images create",
        tells="Vpc vpc was created by an update that failed: imported",
    ),
    Case(what="the registry was deleted", strike=_registry, sees=r"\+ +aws:ecr:Repository images create"),
    Case(
        what="credentials expired half-way", strike=_expired, heals=("log in", "make up"), ends=_again,
        sees=r"creating aws:ecr/repository:Repository images: ExpiredToken: .* is expired",
    ),
    Case(
        what="the provider's process ended after its work", strike=_died, ends=_again,
        sees=r"error reading from server: EOF",
        tells="Repository images was created by an update that failed: imported",
    ),
    Case(
        what="the cluster was deleted, and all in it", strike=_cluster,
        sees=r"failed to read resource state due to unreachable cluster",
        tells="Cluster cluster is gone, and with it 1 objects in it: forgotten",
    ),
    Case(
        what="nodes failed while they were made", strike=_failed_nodes, ends=_again,
        sees=r"error reading from server: EOF", tells="NodeGroup nodes was CREATE_FAILED: taken away, to be made again",
    ),
    Case(what="somebody changed a bucket by hand", strike=_by_hand, sees=r"Bucket models: changed: tags"),
    Case(
        what="a stack comes up again under its name, and Google has kept its key", strike=_down_and_up,
        sees=r"keyRings/key AlreadyExists",
        tells=r"KeyRing key was created(.|\n)*CryptoKey key was created by an update that failed: imported",
    ),
)  # fmt: skip


def kills(times: int, seed: int = 9) -> list[fault_table.Outcome]:
    """Engines killed at random moments of a first update of thirty resources."""
    chosen = random.Random(seed)
    moments = [(chosen.randrange(fault_table.OPERATIONS), chosen.uniform(0, 0.05)) for _ in range(times)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        prepared = fault_table.prepare(Path(folder))
        found = []
        for each in pool.map(lambda moment: fault_table.at_moment(prepared, *moment), moments):
            found.append(each)
            print(f"{each.fault}: {'whole' if each.good else each.problem or each.astray}", flush=True)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="the table into docs/recovery.md")
    options = parser.parse_args()
    rows, bad = [], 0
    with tempfile.TemporaryDirectory() as folder, Throwaway(Path(folder), PROGRAM) as stack:
        stack.seconds = PATIENCE
        stack.up()
        for case in CASES:
            found = outcome(case, stack)
            rows.append(found.row)
            bad += bool(found.problem)
            print(found.row, found.problem, sep="\n" if found.problem else "", flush=True)
    if options.kills:
        killed = kills(options.kills)
        good = sum(each.good for each in killed)
        imported = sum(each.recovered.count("imported") for each in killed)
        bad += good != len(killed)
        rows.append(
            f"| an engine killed at {len(killed)} random moments of a first update of 30 resources | what was found "
            f"and imported: {imported} in all | `make up`: {good} of {len(killed)} whole, nothing doubled or left |"
        )
        print(rows[-1])
    if options.write:
        table = "\n".join(["| what happened | what you see | what heals it |", "|---|---|---|", *rows])
        text = PAGE.read_text()
        made = f"{table}\n\nAll of it on {date.today()}.\n"
        start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        PAGE.write_text(text[:start] + made + text[end:])
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
