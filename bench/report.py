"""Writes what was measured: docs/benchmarks.md and, in the peers' environment, docs/benchmarks.png."""

import datetime
import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

from bench.measure import Case, Result
from bench.servers import ROOT, WORKERS, Pythons

DOCUMENT = ROOT / "docs" / "benchmarks.md"
PROFILE = "[ADR 5](adr/0005-the-hot-path-is-one-asgi-application.md)"
TITLES = {
    "noop": "no-op (128 numbers)",
    "cnn": "28x28 CNN (models/digits)",
    "ms1": "about 1 ms",
    "ms5": "about 5 ms",
    "image": "3x224x224 picture",
}
SERVERS = {
    "slipway": "Slipway",
    "bentoml": "BentoML `@bentoml.api`",
    "fastapi": "FastAPI + ONNX Runtime",
    "litserve": "LitServe",
    "flask-keras": "Flask + Keras",
    "starlette": "bare Starlette (echo)",
}


@dataclass
class Bench:
    """Everything measured in one run."""

    seconds: float
    rounds: int
    results: dict[Case, Result] = field(default_factory=dict)
    raw: dict[str, list[float]] = field(default_factory=dict)
    first_statuses: dict[str, int] = field(default_factory=dict)
    start: tuple[float, float] = (nan, nan)
    watching: dict[str, dict[str, tuple[float, float, float]]] = field(default_factory=dict)

    def figure(self, figure: str, server: str, model: str, form: str = "json", connections: int = 8) -> float:
        """The median of one figure over the rounds; NaN where it was not measured."""
        for case, result in self.results.items():
            if (case.server, case.model, case.form, case.connections) == (server, model, form, connections):
                return result.median(figure)
        return nan


def goals(bench: Bench) -> list[tuple[str, str, float, str, bool]]:
    """Id, ratio, its value, its goal and whether that is reached."""
    of = bench.figure

    def raw(model: str, form: str) -> float:
        seconds = sorted(bench.raw.get(model, [nan]))
        return seconds[len(seconds) // 2] / of("cpu", "slipway", model, form)

    rate, cpu = "rates", "cpu"
    cnn = of(rate, "slipway", "cnn")
    rows = [
        ("B1", "raw ONNX Runtime CPU / server CPU, ~1 ms model, JSON", raw("ms1", "json"), 0.85),
        ("B1", "the same, binary", raw("ms1", "binary"), 0.85),
        ("B1", "raw ONNX Runtime CPU / server CPU, ~5 ms model, JSON", raw("ms5", "json"), 0.95),
        ("B1", "the same, binary", raw("ms5", "binary"), 0.95),
        ("B2", "requests/s / BentoML, CNN, JSON", cnn / of(rate, "bentoml", "cnn"), 8),
        ("B3", "requests/s / FastAPI, CNN, JSON", cnn / of(rate, "fastapi", "cnn"), 1.5),
        (
            "B3",
            "picture, binary / FastAPI's JSON",
            of(rate, "slipway", "image", "binary") / of(rate, "fastapi", "image"),
            10,
        ),
    ]
    limits = [
        (
            "B4",
            "server CPU, no-op, JSON / bare Starlette",
            of(cpu, "slipway", "noop") / of(cpu, "starlette", "noop"),
            2,
        ),
        ("B4", "the same, binary", of(cpu, "slipway", "noop", "binary") / of(cpu, "starlette", "noop"), 2),
        ("B5", "p99 / p50, CNN, JSON, 8 connections", of("p99", "slipway", "cnn") / of("p50", "slipway", "cnn"), 1.5),
        ("B5", "the same, binary", of("p99", "slipway", "cnn", "binary") / of("p50", "slipway", "cnn", "binary"), 1.5),
        ("B5", "answers other than 200 in the first 1,000", float(_others(bench)), 0),
        ("B7", "process start to first answer / bare import and session", bench.start[0] / bench.start[1], 1.5),
    ]
    for model, forms in bench.watching.items():
        for form, (share, _, _) in forms.items():
            limits.append(("O1", f"keys and telemetry, share of server CPU, {TITLES[model]}, {form}", share, 0.1))
    found = [(key, text, value, f">= {goal:g}", value >= goal) for key, text, value, goal in rows]
    return found + [(key, text, value, f"<= {goal:g}", value <= goal) for key, text, value, goal in limits]


def write(bench: Bench, used: Pythons) -> None:
    """The page, and the plot beside it."""
    lines = [
        "# Benchmarks",
        "",
        f"`make bench` wrote this page on {datetime.datetime.now(datetime.UTC).date().isoformat()}. Ratios are taken "
        f"side by side: {bench.rounds} rounds of {bench.seconds:g} s for each case in turn, medians. Our side runs as "
        "`make up` starts it, with its supervisor, validation and metrics; every server has "
        f"{WORKERS} worker processes with one ONNX Runtime thread each. The load client, one process, shares the "
        "machine's cores and its time is not counted: requests/s depend on the client too, processor time does not.",
        "",
        f"When it ended, the machine's load average was {os.getloadavg()[2]:.1f} over 15 minutes, of which the bench "
        "itself makes about 3. Above that neighbours took time too: latencies are theirs as much as the service's.",
        "",
        "## Goals",
        "",
        "| goal | ratio | found | wanted | |",
        "|---|---|---|---|---|",
    ]
    for key, text, value, goal, reached in goals(bench):
        missed = "reached" if reached else "not measured" if value != value else "**missed**"
        lines.append(f"| {key} | {text} | {value:.2f} | {goal} | {missed} |")
    lines += ["", "![requests/s](benchmarks.png)", "", "## All cases", ""]
    lines += [
        "| model | server | form | connections | requests/s | server CPU, µs | p50, ms | p99, ms | not 200 |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for case, result in bench.results.items():
        others = sum(count for status, count in result.statuses.items() if status != "200")
        figures = f"{result.median('rates'):,.0f} | {result.median('cpu') * 1e6:,.0f}"
        times = f"{result.median('p50') * 1e3:.2f} | {result.median('p99') * 1e3:.2f} | {others}"
        names = f"{TITLES[case.model]} | {SERVERS[case.server]} | {case.form} | {case.connections}"
        lines.append(f"| {names} | {figures} | {times} |")
    for model, raw in bench.raw.items():
        middle = sorted(raw)[len(raw) // 2] * 1e6
        lines.append(f"| {TITLES[model]} | raw ONNX Runtime | - | - | - | {middle:,.0f} | - | - | - |")
    ours, bare = bench.start
    lines += [
        "",
        f"From process start to the first answer {ours:.2f} s; importing ONNX Runtime and loading {bare:.2f} s. "
        f"Where a request's time goes, by a profile: {PROFILE}.",
        "",
    ]
    lines += ["## Versions", "", _versions(used), ""]
    DOCUMENT.write_text("\n".join(lines))
    plotted = [
        (SERVERS[case.server], case.form, result.median("rates"))
        for case, result in bench.results.items()
        if (case.model, case.connections) == ("cnn", 8)
    ]
    target = DOCUMENT.with_suffix(".png")
    subprocess.run(
        [used.peers, str(ROOT / "bench/plot.py"), str(target)], input=json.dumps(plotted), text=True, check=True
    )


def _others(bench: Bench) -> int:
    return (
        sum(count for status, count in bench.first_statuses.items() if status != "200") if bench.first_statuses else -1
    )


def _versions(used: Pythons) -> str:
    listed = "import importlib.metadata as m, sys; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
    names = {
        used.service: ["bentoml", "onnxruntime", "uvicorn", "uvloop", "httptools", "orjson", "numpy"],
        used.peers: ["fastapi", "starlette", "pydantic", "litserve"],
        used.keras: ["flask", "gunicorn", "keras", "tensorflow-cpu"],
    }
    found = [
        subprocess.run([python, "-c", listed, *wanted], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        for python, wanted in names.items()
    ]
    model = next(
        (line.partition(": ")[2] for line in _cpu_lines() if line.startswith("model name")), platform.machine()
    )
    machine = f"{os.cpu_count()} cores of {model.strip()}, {platform.system()}, Python {platform.python_version()}"
    return f"{machine}; {'; '.join(found)}."


def _cpu_lines() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []
