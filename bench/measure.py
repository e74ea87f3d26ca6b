"""Measures servers side by side: short turns, taken one after the other in rounds, so that all meet one machine."""

import json
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import KEY, ROOT, WORKERS, Server, environment

HEADERS = {"accept": "*/*", "authorization": f"Bearer {KEY}"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure: a body sent to a server over a number of connections."""

    server: str
    model: str
    form: str  # json or binary
    connections: int
    path: str = "/predict"
    kind: str = "application/json"
    body: Path


@dataclass
class Result:
    """What the rounds gave: a figure for each."""

    rates: list[float] = field(default_factory=list)  # answers with 200 a second
    cpu: list[float] = field(default_factory=list)  # server processor seconds for each answer
    p50: list[float] = field(default_factory=list)  # seconds
    p99: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def median(self, name: str) -> float:
        values: list[float] = getattr(self, name)
        return statistics.median(values) if values else float("nan")


def rounds(
    servers: dict[str, Server], cases: list[Case], count: int, seconds: float, python: str, model: Path
) -> tuple[dict[Case, Result], list[float]]:
    """`count` rounds over `cases` for `seconds` each; also raw ONNX Runtime's processor seconds for an inference."""
    results: dict[Case, Result] = defaultdict(Result)
    raw: list[float] = []
    for case in cases:
        turn(servers[case.server], case, 0.3)  # caches, lazy imports
    for number in range(count):
        for case in cases:
            _note(results[case], turn(servers[case.server], case, seconds))
        raw.append(run_raw(python, model, seconds))
        print(f"  round {number + 1} of {count}", file=sys.stderr)
    return results, raw


def turn(server: Server, case: Case, seconds: float, most: int | None = None) -> dict[str, float]:
    """One turn of the load client against one server."""
    asked = {
        "port": server.port,
        "path": case.path,
        "body": str(case.body),
        "kind": case.kind,
        "connections": case.connections,
        "seconds": seconds,
        "most": most,
        "headers": HEADERS,
    }
    before = server.cpu()
    done = subprocess.run(
        [sys.executable, "-m", "bench.client"],
        input=json.dumps(asked),
        cwd=ROOT,
        env=environment(),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds + 60,
    )
    found: dict[str, float] = json.loads(done.stdout)
    found["cpu"] = (server.cpu() - before) / max(1, found["answers"])
    return found


def run_raw(python: str, model: Path, seconds: float) -> float:
    """Processor seconds of one inference, with as many processes at once as there are workers."""
    command = [python, str(ROOT / "bench/raw.py"), str(model), str(seconds)]
    running = [subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)]
    found = [json.loads(process.communicate()[0]) for process in running]
    return statistics.mean(float(each["cpu"]) for each in found)


def _note(result: Result, found: dict) -> None:  # type: ignore[type-arg]
    result.rates.append(found["statuses"].get("200", 0) / found["elapsed"])
    result.cpu.append(found["cpu"])
    result.p50.append(found["p50"])
    result.p99.append(found["p99"])
    result.statuses.update(found["statuses"])
