"""Where a request's time goes, how many samples run together, and what is predicted."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import numpy as np
from slipway.service.artifact import Signature
from slipway.service.telemetry.shared_counters import SharedCounters

STAGES = ("parse", "model", "encode", "run")
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
# The counters: seconds of each stage, how many requests, samples, runs of each size, then the predictions.
_COUNT = len(STAGES)
_SAMPLES = _COUNT + 1
_BATCHES = _SAMPLES + 1
_CLASSES = _BATCHES + len(SIZES) + 1
MOST_CLASSES = 100


class Timings:
    """Sums over requests and runs; series are bounded. `model` is a request's wait and run, `run` the run alone."""

    def __init__(self, signature: Signature) -> None:
        self._output = signature.outputs[0].name
        self._classes = signature.labels if signature.task == "classification" else None
        self._named = min(len(self._classes or ()), MOST_CLASSES)
        # For each class how often it was predicted, of the rest together, and the sum, square and count of values.
        self._cells = SharedCounters(_CLASSES + self._named + 1 + 3)
        # The first cells as they will be at the next tick: adding to these costs a request less.
        self._sums: list[float] = []
        self.forget()

    def answered(self, begun: float, parsed: float, ran: float, encoded: float) -> None:
        """Count a request's stages, by the times at which they ended."""
        sums = self._sums
        sums[0] += parsed - begun
        sums[1] += ran - parsed
        sums[2] += encoded - ran
        sums[_COUNT] += 1

    def ran(self, samples: int, seconds: float) -> None:
        """Count one run of the model."""
        sums = self._sums
        sums[3] += seconds
        sums[_SAMPLES] += samples
        sums[_BATCHES + bisect_left(SIZES, samples)] += 1

    def predicted(self, outputs: dict[str, np.ndarray]) -> None:
        """Count what was predicted for some samples."""
        values, mine = outputs[self._output], self._cells.array
        if self._classes:
            found = np.bincount(np.minimum(values.argmax(axis=1), self._named), minlength=self._named + 1)
            mine[_CLASSES : _CLASSES + self._named + 1] += found
        elif values.dtype.kind in "fiu":
            flat = values.astype(np.float64)
            mine[-3:] += flat.sum(), (flat**2).sum(), flat.size

    def tick(self) -> None:
        """Tell the workers beside this one of the last second; one that is killed takes that along."""
        self._cells.array[:_CLASSES] = self._sums  # never set back: a thread may be adding

    def forget(self) -> None:
        """Drop what was noted since the last `tick`."""
        self._sums = list(self._cells.mine[:_CLASSES])

    def means(self) -> dict[str, float]:
        """Mean seconds of each stage, and samples of a run, of all workers."""
        found = self._cells.sum()
        requests, runs = max(1.0, found[_COUNT]), max(1, _runs(found))
        means = {name: found[index] / (runs if name == "run" else requests) for index, name in enumerate(STAGES)}
        return means | {"samples": found[_SAMPLES] / runs}

    def collect(self, labels: tuple[str, str]) -> Iterator[Any]:
        """The metric families, with the labels service_name and service_version."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, SummaryMetricFamily

        service = ("service_name", "service_version")
        found = self._cells.sum()
        stages = SummaryMetricFamily("slipway_stage_seconds", "Time of a request's stages", labels=(*service, "stage"))
        for index, name in enumerate(STAGES):
            stages.add_metric((*labels, name), _runs(found) if name == "run" else found[_COUNT], found[index])
        sizes = HistogramMetricFamily("slipway_batch_size", "Samples of one run", labels=service)
        bounds = [*map(str, SIZES), "+Inf"]
        counted = accumulate(found[_BATCHES : _BATCHES + len(SIZES) + 1])
        sizes.add_metric(labels, list(zip(bounds, counted, strict=True)), found[_SAMPLES])
        yield from (stages, sizes)
        if self._classes:
            text = "Predictions, of a sample of requests"
            classes = CounterMetricFamily("slipway_predictions", text, labels=(*service, "label"))
            for name, count in zip([*self._classes[: self._named], "other"], found[_CLASSES:], strict=False):
                classes.add_metric((*labels, name), count)
            yield classes
        else:
            value = SummaryMetricFamily(
                "slipway_predicted_value", "Predictions, of a sample of requests", labels=service
            )
            value.add_metric(labels, found[-1], found[-3])
            square = CounterMetricFamily("slipway_predicted_value_square", "Their squares, summed", labels=service)
            square.add_metric(labels, found[-2])
            yield from (value, square)


def _runs(cells: np.ndarray) -> int:
    return int(cells[_BATCHES:_CLASSES].sum())
