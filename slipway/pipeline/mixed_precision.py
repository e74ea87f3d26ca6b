"""Mixed precision: which nodes stay FP32 in a static INT8 graph because INT8 makes them slow or wrong."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slipway.pipeline import runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.measure import compare_latency
from slipway.pipeline.quantize import HEAVY, Static

GAIN = 0.97
TIMED_NODES = 16
RANKED_NODES = 32
SECONDS = 30.0
SAMPLES = 64


@dataclass(frozen=True)
class Trial:
    """How a file does on training data, so that the search never sees the evaluation set."""

    inputs: Inputs
    drop: Callable[[Path], float]
    budget: float


def search(static: Static, method: str, trial: Trial, target: Path) -> str:
    """Writes the best mix found to `target`; says which nodes stay FP32 in it, nothing where none has to.

    First speed: a node whose leaving out makes the whole faster stays FP32. Then accuracy: while the drop on
    training data is beyond the budget, nodes are left out in the order of the error that each causes alone.
    """
    nodes = static.heavy_nodes()
    if len(nodes) < 2:
        return ""
    search = _Search(static, method, trial, target, time.monotonic() + SECONDS)
    slow = search.slow([name for name, _ in nodes[:TIMED_NODES]])
    wrong = search.wrong([name for name, _ in nodes if name not in slow], slow)
    if not slow and not wrong:
        return ""
    reasons = [f"{_listed(names)} {why}" for names, why in ((slow, "for speed"), (wrong, "for accuracy")) if names]
    return f"FP32 stay {', '.join(reasons)}"


class _Search:
    def __init__(self, static: Static, method: str, trial: Trial, target: Path, deadline: float) -> None:
        self._static, self._method, self._trial, self._target = static, method, trial, target
        self._deadline = deadline
        self._operators: tuple[str, ...] | None = None

    def slow(self, nodes: list[str]) -> list[str]:
        best = self._scratch("best")
        out: list[str] = []
        self._write(best, ())
        for name in nodes:
            if time.monotonic() > self._deadline:
                break
            without = self._scratch("without")
            self._write(without, [*out, name])
            if compare_latency(without, best, self._trial.inputs) < GAIN:
                out.append(name)
                without.replace(best)
        if out:  # what lies around them may be cheaper left alone as well
            plain = self._scratch("plain")
            self._static.write(plain, self._method, out, HEAVY)
            if compare_latency(plain, best, self._trial.inputs) < GAIN:
                self._operators = HEAVY
        return out

    def wrong(self, nodes: list[str], slow: list[str]) -> list[str]:
        self._write(self._target, slow)
        if self._trial.drop(self._target) <= self._trial.budget:
            return []
        ranked = self._ranked(nodes)
        count = 1
        while count < len(nodes):
            self._write(self._target, [*slow, *ranked[:count]])
            if self._trial.drop(self._target) <= self._trial.budget or time.monotonic() > self._deadline:
                return ranked[:count]
            count *= 2
        return ranked[: max(1, len(nodes) - 1)]

    def _ranked(self, nodes: list[str]) -> list[str]:
        """Most sensitive first, by the error of the answers where this node alone is INT8; unranked ones last."""
        inputs = {name: array[:SAMPLES] for name, array in self._trial.inputs.items()}
        right = runtime.predict(runtime.session(self._static.source), inputs)[0]
        errors = dict.fromkeys(nodes, -1.0)
        for name in nodes[:RANKED_NODES]:
            if time.monotonic() > self._deadline:
                break
            alone = self._scratch("alone")
            self._static.write(alone, self._method, [each for each in nodes if each != name], HEAVY)
            answer = runtime.predict(runtime.session(alone), inputs)[0]
            errors[name] = float(np.abs(answer - right).mean())
        return sorted(nodes, key=lambda name: -errors[name])

    def _write(self, target: Path, exclude: Sequence[str]) -> None:
        self._static.write(target, self._method, exclude, self._operators)

    def _scratch(self, name: str) -> Path:
        return self._target.with_name(f"{self._target.stem}.{name}.onnx")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
