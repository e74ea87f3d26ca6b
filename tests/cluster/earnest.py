"""The cluster's long runs: 50 kills, 30,000 requests through five rolling updates. Writes docs/cluster.md.

python -m tests.cluster.earnest [--only kills|rollouts|served] [--kills 50] [--seed 7]; `make test-faults` runs it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from slipway.infra.home import ROOT

from slipway.simulator.kube.api import Api, Ref
from slipway.simulator.throwaway import Throwaway
from tests.cluster import cluster, places
from tests.cluster.conftest import PROGRAMS, configure, labelled
from tests.cluster.kills import LABELS, Victim, rounds
from tests.cluster.load import Load, post
from tests.cluster.served import KEY, Served, address, predict

DOCUMENT = ROOT / "docs" / "cluster.md"
HEAD = "| run | how | found | when |\n|---|---|---|---|\n"
ROLLOUTS, RATE, SECONDS = 5, 100, 60
ROLLED = (
    f"{ROLLOUTS} updates of two replicas in {ROLLOUTS * SECONDS} s, {RATE} requests a second, a connection each, "
    "node port on 127.0.0.1, 3 s of drain"
)
SERVED = (
    f"our own program and service: {ROLLOUTS} updates of two replicas to another model in {ROLLOUTS * SECONDS} s, "
    f"{RATE} predictions a second with a key, a connection each, 5 s before and 3 s of drain"
)
TRIES = 5
SHOT = (
    ", and in each of the five minutes one pod's process is killed (kill -9); a client that finds nobody asks again, "
    f"{TRIES - 1} times within 3 s"
)
TAKEN = ", and in each of the five minutes one pod is deleted; nothing is asked again"
KILLED = (
    "at random moments of a create, change, replace and rename, about half of them with the plugin; "
    "then `slipway recover` and `up`"
)


def kills(api: Api, count: int, seed: int) -> tuple[str, bool]:
    """What so many kills came to, and whether all is well."""
    with stack_of_its_own() as stack:
        victim = Victim(api, stack, (places.NODE_PORTS[-2], places.NODE_PORTS[-1]))
        outcomes = rounds(victim, count, seed, say)
    left = labelled(api, LABELS)
    good, done = (sum(map(bool, each)) for each in ([one.good for one in outcomes], [one.finished for one in outcomes]))
    pending = sum(bool(each.pending) for each in outcomes)
    imported = sum("imported" in each.recovered for each in outcomes)
    text = (
        f"{good} of {count} converged, no orphan, ghost or duplicate in these; {pending} had pending operations, "
        f"{imported} something to import, {done} were over before; {len(left)} objects left after destroy"
    )
    return text, good == count and not left


def rollouts() -> tuple[str, bool]:
    """What a constant load saw of rolling updates of two replicas."""
    with stack_of_its_own() as stack:
        configure(stack, namespace="earnest", replicas="2", drain="3", version="1", port=str(places.NODE_PORTS[-3]))
        stack.up()
        with Load(places.NODE_PORTS[-3], RATE) as load:
            for number in range(ROLLOUTS):
                end = time.monotonic() + SECONDS
                configure(stack, version=str(number + 2))
                stack.up()
                say(f"rollout {number + 1} done")
                time.sleep(max(0.0, end - time.monotonic()))
    found = load.result
    failed = sum(found["failed"].values())
    text = f"{failed} of {found['sent']:,} failed; p50 {found['p50_ms']} ms, p99 {found['p99_ms']} ms"
    return text, not failed and found["sent"] >= RATE * SECONDS * ROLLOUTS


def served(api: Api, lose: str = "") -> tuple[str, bool]:
    """What a constant load saw of our own service while its model was exchanged. `lose`: pods "deleted" or "killed"."""
    body = json.dumps({"inputs": {"x": [1, 2, 3, 4]}})
    lost = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "earnest"
        folder.mkdir()
        rollout = {"drainSeconds": 5, "deadlineSeconds": 120}
        with Served(folder, {"steep": {"scale": {"min": 2}, "rollout": rollout}}) as stack:
            stack.train("steep", 2.0)
            stack.up()
            time.sleep(5)
            where = address(api, "earnest", "steep")
            with Load(3000, RATE, where, post("/predict", KEY, body), tries=TRIES if lose == "killed" else 1) as load:
                for number in range(ROLLOUTS):
                    end = time.monotonic() + SECONDS
                    stack.train("steep", 3.0 + number)
                    stack.up()
                    assert predict(api, "earnest", "steep", [1, 2, 3, 4]) == 10 * (3.0 + number)
                    if lose:
                        time.sleep(10)
                        lost += take_one(api, lose)
                    say(f"rollout {number + 1} done")
                    time.sleep(max(0.0, end - time.monotonic()))
            stack.destroy()
    found = load.result
    failed = sum(found["failed"].values())
    text = f"{failed} of {found['sent']:,} failed; p50 {found['p50_ms']} ms, p99 {found['p99_ms']} ms"
    text += f"; {lost} pods {lose}, {found['again']} requests asked again" if lose else ""
    say(f"{text} {found['failed']}")
    return text, not failed and found["sent"] >= RATE * SECONDS * ROLLOUTS and lost == (ROLLOUTS if lose else 0)


def take_one(api: Api, how: str) -> int:
    """Loses one pod that is ready; how many it was."""
    for pod in api.list("v1", "Pod", "earnest"):
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])
        if ready and not pod["metadata"].get("deletionTimestamp"):
            if how == "killed":
                return kill_service_of(pod["metadata"]["uid"])
            api.delete(Ref.to(pod), "Background")
            return 1
    return 0


def kill_service_of(pod: str) -> int:
    """Kills the server process of a pod, as a crash would; how many there were."""
    killed = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if pod in (entry / "cgroup").read_text() and b"-m\0service" in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
    return killed


@contextmanager
def stack_of_its_own() -> Iterator[Throwaway]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Throwaway(Path(folder), PROGRAMS / "web", kubeconfig=str(places.kubeconfig())) as stack,
    ):
        yield stack
        stack.destroy()


def say(line: str) -> None:
    print(line, flush=True)


def write(rows: dict[str, tuple[str, str]]) -> None:
    """Replaces these rows in the document's table of long runs; all else stays."""
    before, _, rest = DOCUMENT.read_text().partition(HEAD)
    table, gap, after = rest.partition("\n\n")
    kept = {line.split(" | ")[0].lstrip("| "): line for line in table.splitlines()}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    kept |= {name: f"| {name} | {how} | {found} | {today} |" for name, (how, found) in rows.items()}
    DOCUMENT.write_text(before + HEAD + "\n".join(kept.values()) + (gap + after or "\n"))


def main() -> None:
    """Exits non-zero where something was lost or did not converge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", choices=("kills", "rollouts", "served"))
    parser.add_argument("--losing", choices=("", "deleted", "killed"), help="of `served`, that run alone")
    options = parser.parse_args()
    rows: dict[str, tuple[str, str]] = {}
    well = True
    with cluster.held():
        by_hand = bool(cluster.kept())
        if not by_hand:
            cluster.up(keep=False)
        try:
            api = Api(places.kubeconfig().read_text())
            if options.only in (None, "served"):
                for name, how, lose in (
                    ("model exchanged under load", SERVED, ""),
                    ("the same, with pods deleted", SERVED + TAKEN, "deleted"),
                    ("the same, with pods killed", SERVED + SHOT, "killed"),
                ):
                    if options.losing in (None, lose):
                        found, whole = served(api, lose)
                        rows[name] = (how, found)
                        well = well and whole
            if options.only in (None, "rollouts"):
                found, whole = rollouts()
                well = well and whole
                rows["rolling update under load"] = (ROLLED, found)
            if options.only in (None, "kills"):
                found, whole = kills(api, options.kills, options.seed)
                rows["`pulumi up` killed"] = (f"{options.kills} times (seed {options.seed}) {KILLED}", found)
                well = well and whole
        finally:
            if not by_hand:
                cluster.down()
    for name, (_, found) in rows.items():
        say(f"{name}: {found}")
    write(rows)
    raise SystemExit(not well)


if __name__ == "__main__":
    main()
