"""What the real service answers to held-out samples: alone, in full batches, beside others, and over each wire."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import local
from typing import Any

import numpy as np

from slipway.pipeline import runtime
from slipway.pipeline.data import Dataset, Inputs
from slipway.pipeline.service_process import NotServed, TooSlow, running
from slipway.pipeline.tolerance import Tolerance
from slipway.pipeline.wires import Arrays, Caller, wires_of
from slipway.service.artifact import Signature

SAMPLES = 200  # that are sent one by one, over each wire
FEWEST = 20  # of them where a model is slow
SECONDS = 15.0  # for all of these together
LARGEST_BATCH = 256
COMPANY = 32  # samples of a request, and requests at a time
BULK = "v2 bytes"

Called = tuple[np.ndarray, Arrays]  # which samples, and each output of them
Answers = dict[str, Called]  # by way


def judge_served(
    command: list[str],
    artifact: Path,
    signature: Signature,
    evaluation: Dataset,
    expected: list[np.ndarray],
    reference: float,
    tolerance: Tolerance,
) -> dict[str, Any]:
    """Starts the service on `artifact` and calls it. `expected`: the outputs for all of `evaluation` that the variant
    was judged by; `reference`: FP32's figure.

    Returns what goes into the report; its `metric` is the figure that was judged, less the most that any way of
    calling lost on its own samples. Raises NotServed where the service does not start or refuses a sample, where
    answers differ beyond the tolerance, and where that figure is worse than FP32's by more than the budget.
    """
    with running(command, artifact) as service:
        answers = _answers(service.port, signature, evaluation.inputs)
    metric, labels = tolerance.metric, evaluation.labels
    ways, lost = {}, 0.0
    for way, (at, outputs) in answers.items():
        judged = [output[at] for output in expected]
        if (reason := tolerance.apart(judged, outputs, labels[at])) is not None:
            raise NotServed(f"the service ({way}) answers otherwise than the model was judged: {reason}")
        before, served = (metric.total(metric.score(each, labels[at])) for each in (judged, outputs))
        lost = max(lost, metric.drop(before, served))
        ways[way] = {"samples": len(at), "metric": served}
    judged_figure = metric.total(metric.score(expected, labels))
    figure = judged_figure - lost if metric.higher_is_better else judged_figure + lost
    if (drop := metric.drop(reference, figure)) > tolerance.budget:
        raise NotServed(f"served, its {metric.name} is {figure:.4f}, {drop:.4f} worse than fp32's")
    return {"metric": figure, "ways": ways, "startSeconds": service.seconds, "provider": "cpu"}


def _answers(port: int, signature: Signature, inputs: Inputs) -> Answers:
    count = len(next(iter(inputs.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(count, SAMPLES)).astype(int))
    shuffled = np.random.default_rng(0).permutation(count)
    caller = Caller(port, signature)
    try:
        size = _largest(signature, inputs, caller.limits())
        whole = partial(_whole, caller, inputs)
        found: Answers = {"batches": _in_time(partial(whole, np.arange(count)), min(size, LARGEST_BATCH))}
        wires = wires_of(signature, inputs)
        share = SECONDS / len(wires)
        for wire in wires:
            found[wire] = _singly(caller, wire, inputs, chosen, share)
        if size > 1:
            found["company"] = _in_time(partial(whole, shuffled[:SAMPLES]), min(size, COMPANY))
    finally:
        caller.close()
    beside = partial(_side_by_side, port, signature, inputs, shuffled[: len(found[BULK][0])])
    found["side by side"] = _in_time(beside, COMPANY)
    return found


def _in_time(call: Callable[[int], Called], size: int) -> Called:
    """What `call` finds with as many samples or requests at a time, or with fewer where the service runs out of time:
    the model is slow or this machine is busy, and its answers are right all the same. Raises TooSlow with one."""
    while True:
        try:
            return call(size)
        except TooSlow:
            if size == 1:
                raise
            size = max(1, size // 4)


def _whole(caller: Caller, inputs: Inputs, at: np.ndarray, size: int) -> Called:
    """The samples `at`, `size` of them in a request."""
    parts = [caller.predict(BULK, _taken(inputs, at[start : start + size])) for start in range(0, len(at), size)]
    return at, _joined(parts)


def _singly(caller: Caller, wire: str, inputs: Inputs, at: np.ndarray, seconds: float) -> Called:
    """One by one, as far as `seconds` go beyond the FEWEST."""
    parts: list[Arrays] = []
    end = time.monotonic() + seconds
    order = np.random.default_rng(0).permutation(at)
    for each in order:
        if len(parts) >= FEWEST and time.monotonic() > end:
            break
        parts.append(caller.predict(wire, _taken(inputs, each[None])))
    return order[: len(parts)], _joined(parts)


def _side_by_side(port: int, signature: Signature, inputs: Inputs, at: np.ndarray, connections: int) -> Called:
    """One by one over many connections at a time, so that the service may run them together."""
    held = local()
    callers: list[Caller] = []

    def ask(each: int) -> Arrays:
        if not hasattr(held, "caller"):
            held.caller = Caller(port, signature)
            callers.append(held.caller)
        answer: Arrays = held.caller.predict(BULK, _taken(inputs, at[each : each + 1]))
        return answer

    try:
        with ThreadPoolExecutor(connections) as threads:
            return at, _joined(threads.map(ask, range(len(at))))
    finally:
        for caller in callers:
            caller.close()


def _largest(signature: Signature, inputs: Inputs, limits: dict[str, int]) -> int:
    """How many samples a request can hold."""
    if any(spec.shape[0] is not None for spec in signature.inputs):
        return 1
    each = max(1, *(_bytes(array) // len(array) for array in inputs.values()))
    return max(1, min(limits["samples"], int(0.8 * limits["bytes"] / (each * len(inputs)))))


def _bytes(array: np.ndarray) -> int:
    if array.dtype.kind != "O":
        return array.nbytes
    return max(len(str(text).encode()) + 4 for text in array.ravel()) * array.size


def _taken(inputs: Inputs, at: np.ndarray) -> Inputs:
    return {name: array[at] for name, array in inputs.items()}


def _joined(parts: Iterable[Arrays]) -> Arrays:
    return [runtime.joined(each) for each in zip(*parts, strict=True)]
