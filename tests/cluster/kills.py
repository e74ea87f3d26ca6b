"""Kills `pulumi up` at a random moment, recovers, and compares the stack's state with the cluster."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from slipway.simulator.kube.api import Api
from slipway.simulator.throwaway import Throwaway
from tests.cluster.conftest import answer, configure, labelled

LABELS = "slipway-stack=web-example"
# What the update does that is killed, and between which seconds: the program starts, everything is done.
UPDATES = {"create": (1.0, 6.0), "change": (1.0, 7.0), "replace": (1.0, 9.0), "rename": (1.0, 9.0)}
# Made by controllers from what the stack declares, with its labels.
DERIVED = ("Endpoints", "EndpointSlice", "Pod", "ReplicaSet", "PodMetrics")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one kill left. `astray`: where cluster and state differ after the last `up`; `problem`: what failed."""

    update: str
    after: float
    with_plugin: bool
    finished: bool
    pending: int
    recovered: str
    astray: list[str]
    problem: str

    @property
    def good(self) -> bool:
        return not self.astray and not self.problem

    def __str__(self) -> str:
        what = f"{self.update} killed after {self.after:.1f} s{' with its plugin' if self.with_plugin else ''}"
        state = "already done" if self.finished else f"{self.pending} pending"
        return f"{what}: {state}, {self.recovered.count('imported')} imported, {'good' if self.good else 'FAILED'}"


class Victim:
    """One stack that is killed again and again. Use it as a context: it destroys at the end."""

    def __init__(self, api: Api, stack: Throwaway, ports: tuple[int, int]) -> None:
        self.api, self.stack, self.ports = api, stack, ports
        self.round = 0

    def kill(self, update: str, after: float, with_plugin: bool) -> Outcome:
        """An update of the kind, killed `after` seconds; then `slipway recover` and `up`."""
        self.round += 1
        self._prepare(update)
        process = self.stack.start_up()
        time.sleep(after)
        finished = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        if with_plugin:
            self.stack.stop()
        process.wait()
        time.sleep(0.5)  # what the engine had asked for is done, whether anybody waits for the answer or not
        self.stack.start()
        pending, recovered, problem, astray = 0, "", "", []
        try:
            pending = len(self.stack.state().get("pending_operations") or ())
            recovered = self.stack.recover()
            self.stack.up()
            self.stack.preview("--expect-no-changes")
            self.stack.pulumi("refresh", "--stack", self.stack.stack, "--yes", "--skip-preview", "--expect-no-changes")
            astray = self.astray()
            assert not self.stack.state().get("pending_operations"), "operations are still pending"
            assert answer(self.port) == str(self.round), "the last version does not serve"
        except (AssertionError, OSError, ValueError) as error:
            problem = f"{recovered}\n{error}"[-3000:]
        return Outcome(update=update, after=after, with_plugin=with_plugin, finished=finished, pending=pending,
                       recovered=recovered, astray=astray, problem=problem)  # fmt: skip

    @property
    def port(self) -> int:
        return self.ports[self.named]

    def astray(self) -> list[str]:
        """Orphans and ghosts: what carries the stack's label and is not in its state, and the reverse."""
        there = [each for each in labelled(self.api, LABELS) if each.split()[0] not in DERIVED]
        known = sorted(
            f"{each['type'].rpartition(':')[2]} {'/' * ('/' not in each['id'])}{each['id']}"
            for each in self.stack.resources() if each["type"].startswith("kubernetes:")
        )  # fmt: skip
        count = Counter(there)
        return [
            *(f"orphan {each}" for each in there if each not in known),
            *(f"ghost {each}" for each in known if each not in there),
            *(f"duplicate {each}" for each in count if count[each] > 1 or known.count(each) > 1),
        ]

    named, selected = 0, 0

    def _prepare(self, update: str) -> None:
        if update == "create" and self.stack.resources():
            self.stack.destroy()
        if update != "create" and not self.stack.resources():
            self.configure()
            self.stack.up()
        self.named ^= update == "rename"
        self.selected ^= update == "replace"
        self.configure()

    def configure(self) -> None:
        configure(
            self.stack, namespace="kills", version=str(self.round), drain="1", name=("web", "www")[self.named],
            port=str(self.port), selector=("", "other")[self.selected],
        )  # fmt: skip


def rounds(victim: Victim, count: int, seed: int, say: Callable[[str], object]) -> list[Outcome]:
    """So many kills, spread evenly over the kinds of update and at random over their time."""
    moments, outcomes = random.Random(seed), []
    for number in range(count):
        update = list(UPDATES)[number % len(UPDATES)]
        outcome = victim.kill(update, moments.uniform(*UPDATES[update]), moments.random() < 0.5)
        outcomes.append(outcome)
        say(f"{number + 1:3} {outcome}")
        if not outcome.good:
            say("\n".join([*outcome.astray, outcome.problem]))
    return outcomes
