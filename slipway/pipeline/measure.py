"""Latency, throughput and memory of several models side by side."""

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from slipway.pipeline import runtime
from slipway.pipeline.confidence import median_ratio
from slipway.pipeline.data import Inputs
from slipway.pipeline.memory import peak_memory

ROUNDS = 31
FEWEST_ROUNDS = 11
ROUND_SECONDS = 0.01
TOTAL_SECONDS = 20.0
BATCHES = (8, 32, 128)
ALL_THREADS_BATCH = 32
COMPARED_ROUNDS = 9


@dataclass(frozen=True, kw_only=True)
class Timing:
    """`calls` in ms of every single call, `rounds` the median of each round, on one thread.

    `per_second` samples by batch size on one thread, `all_threads` with batches of 32 on all; `memory` in bytes: the
    peak of a process that holds NumPy, ONNX Runtime and the model. On a GPU `all_threads` is the best of all batches,
    and `memory` is unknown.
    """

    calls: np.ndarray
    rounds: np.ndarray
    per_second: dict[int, float]
    all_threads: float
    memory: int | None


def measure(paths: dict[str, Path], inputs: Inputs, alone: Collection[str] = ()) -> dict[str, Timing]:
    """Times all models in interleaved rounds over real samples, so that noise of the machine hits all alike. Those in
    `alone` are served one sample at a time, and timed so."""
    sessions = {name: runtime.session(path) for name, path in paths.items()}
    calls = calls_of(sessions, inputs)
    batches = _throughput(sessions, inputs, BATCHES, alone)
    sessions.clear()  # at no time more than one of each file is in memory
    sessions |= {name: runtime.session(path, threads=cores()) for name, path in paths.items()}
    singly = dict(sessions) if _fixed(sessions) else {name: sessions[name] for name in alone}
    together = _throughput(sessions, inputs, (ALL_THREADS_BATCH,), alone) | _throughput(singly, inputs, (1,))
    sessions.clear()
    singly.clear()
    memory = peak_memory(list(paths.values()), _batch(inputs, 0, 1))
    return {
        name: Timing(
            calls=(every := np.concatenate(calls[name])),
            rounds=np.array([np.median(each) for each in calls[name]]),
            per_second={1: 1000 / float(every.mean())} | batches[name],
            all_threads=max(together[name].values()),
            memory=memory[path],
        )
        for name, path in paths.items()
    }


def on_device(sessions: dict[str, ort.InferenceSession], inputs: Inputs) -> dict[str, dict[str, Any]]:
    """{calls, rounds, perSecond} by name, as JSON holds them, of sessions on whatever device they are; the first calls
    are not counted, as engines are made and memory is taken in them."""
    calls = calls_of(sessions, inputs)
    batches = _throughput(sessions, inputs, BATCHES)
    return {
        name: {
            "calls": np.concatenate(calls[name]).tolist(),
            "rounds": [float(np.median(each)) for each in calls[name]],
            "perSecond": {1: 1000 / float(np.concatenate(calls[name]).mean())} | batches[name],
        }
        for name in sessions
    }


def compare_latency(ours: Path, theirs: Path, inputs: Inputs) -> float:
    """The upper 95 % bound of the latency of one file in the other's, from a few interleaved rounds."""
    sessions = {"ours": runtime.session(ours), "theirs": runtime.session(theirs)}
    calls = calls_of(sessions, inputs, COMPARED_ROUNDS)
    mine, other = (np.array([np.median(each) for each in calls[name]]) for name in sessions)
    return median_ratio(mine, other)[2]


def calls_of(
    sessions: dict[str, ort.InferenceSession], inputs: Inputs, rounds: int = ROUNDS
) -> dict[str, list[np.ndarray]]:
    """Milliseconds of single calls by session and round; the sessions take turns within each round."""
    singles = [_batch(inputs, at, 1) for at in range(min(64, len(next(iter(inputs.values())))))]
    calls: dict[str, list[np.ndarray]] = {name: [] for name in sessions}
    counts = {name: _calls_per_round(running, singles) for name, running in sessions.items()}
    started = time.perf_counter()
    for order in _orders(list(sessions), rounds):
        for name in order:
            calls[name].append(_timed(sessions[name], singles, counts[name]))
        if len(calls[order[0]]) >= FEWEST_ROUNDS and time.perf_counter() - started > TOTAL_SECONDS:
            break
    return calls


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _orders(names: list[str], rounds: int) -> Iterator[list[str]]:
    generator = np.random.default_rng(0)
    for _ in range(rounds):
        yield [names[at] for at in generator.permutation(len(names))]


def _calls_per_round(running: ort.InferenceSession, singles: list[Inputs]) -> int:
    _timed(running, singles, 5)
    typical = float(np.median(_timed(running, singles, 5))) / 1000
    return max(1, min(500, int(ROUND_SECONDS / typical)))


def _timed(running: ort.InferenceSession, samples: list[Inputs], count: int) -> np.ndarray:
    durations = np.empty(count)
    for at in range(count):
        sample = samples[at % len(samples)]
        started = time.perf_counter_ns()
        running.run(None, sample)
        durations[at] = (time.perf_counter_ns() - started) / 1e6
    return durations


def _throughput(
    sessions: dict[str, ort.InferenceSession], inputs: Inputs, sizes: tuple[int, ...], alone: Collection[str] = ()
) -> dict[str, dict[int, float]]:
    """Samples a second by batch size, where a batch can be run; the median of interleaved calls."""
    found: dict[str, dict[int, float]] = {name: {} for name in sessions}
    available = len(next(iter(inputs.values())))
    for size in sorted({min(each, available) for each in sizes}):
        if size > 1 and _fixed(sessions):
            continue
        batch = _batch(inputs, 0, size)
        durations: dict[str, list[float]] = {name: [] for name in sessions}
        deadline = time.perf_counter() + 2.0
        for turn in range(7):
            if turn and time.perf_counter() > deadline:
                break
            for name, running in sessions.items():
                if size == 1 or name not in alone:
                    durations[name].append(float(_timed(running, [batch], 1)[0]))
        for name, each in durations.items():
            if each:
                found[name][size] = 1000 * size / float(np.median(each))
    return found


def _fixed(sessions: dict[str, ort.InferenceSession]) -> bool:
    """Whether the models take one sample at a time only."""
    return any(map(runtime.is_fixed, sessions.values()))


def _batch(inputs: Inputs, start: int, size: int) -> Inputs:
    return {name: np.ascontiguousarray(array[start : start + size]) for name, array in inputs.items()}
