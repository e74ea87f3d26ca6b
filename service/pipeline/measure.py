"""Latency and throughput of several models side by side, on one thread."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from service.pipeline.data import Inputs

ROUNDS = 31
ROUND_SECONDS = 0.01
TOTAL_SECONDS = 20.0
BATCHES = (8, 32, 128)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """`calls` in ms of every single call, `rounds` the median of each round; `per_second` by batch size."""

    calls: np.ndarray
    rounds: np.ndarray
    per_second: dict[int, float]


def measure(sessions: dict[str, ort.InferenceSession], inputs: Inputs) -> dict[str, Timing]:
    """Times all sessions in interleaved rounds over real samples, so that noise of the machine hits all alike."""
    singles = [_batch(inputs, at, 1) for at in range(min(64, len(next(iter(inputs.values())))))]
    calls: dict[str, list[np.ndarray]] = {name: [] for name in sessions}
    counts = {name: _calls_per_round(running, singles) for name, running in sessions.items()}
    started = time.perf_counter()
    for order in _orders(list(sessions)):
        for name in order:
            calls[name].append(_timed(sessions[name], singles, counts[name]))
        if len(calls[order[0]]) >= 11 and time.perf_counter() - started > TOTAL_SECONDS:
            break
    batches = _throughput(sessions, inputs)
    return {
        name: Timing(
            calls=(every := np.concatenate(calls[name])),
            rounds=np.array([np.median(each) for each in calls[name]]),
            per_second={1: 1000 / float(every.mean())} | batches[name],
        )
        for name in sessions
    }


def _orders(names: list[str]) -> Iterator[list[str]]:
    generator = np.random.default_rng(0)
    for _ in range(ROUNDS):
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


def _throughput(sessions: dict[str, ort.InferenceSession], inputs: Inputs) -> dict[str, dict[int, float]]:
    """Samples a second by batch size, where the batch axis is free; the median of interleaved calls."""
    found: dict[str, dict[int, float]] = {name: {} for name in sessions}
    available = len(next(iter(inputs.values())))
    for size in (each for each in BATCHES if each <= available):
        batch = _batch(inputs, 0, size)
        free = {n: s for n, s in sessions.items() if all(not isinstance(i.shape[0], int) for i in s.get_inputs())}
        durations: dict[str, list[float]] = {name: [] for name in free}
        deadline = time.perf_counter() + 2.0
        for turn in range(7):
            if turn and time.perf_counter() > deadline:
                break
            for name, running in free.items():
                durations[name].append(float(_timed(running, [batch], 1)[0]))
        for name, each in durations.items():
            found[name][size] = 1000 * size / float(np.median(each))
    return found


def _batch(inputs: Inputs, start: int, size: int) -> Inputs:
    return {name: np.ascontiguousarray(array[start : start + size]) for name, array in inputs.items()}
