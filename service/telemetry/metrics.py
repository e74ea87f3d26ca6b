"""Request metrics under BentoML's names, since BentoML can't count what does not pass through it.

Workers share the memory that they count in: counting is an addition, nothing is lost when a worker dies, and whichever
worker is asked adds all of them up.
"""

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from time import perf_counter
from typing import Any

from slipway.service.telemetry.shared_counters import SharedCounters, is_alive

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
ENDPOINTS = (
    *("/predict", "/v2/infer", "/v2", "/explain", "/feedback", "/status", "/livez", "/readyz"),
    *("/openapi.json", "/", "/model", "/ui", "other"),
)
PREDICT, INFER, V2, EXPLAIN, FEEDBACK, STATUS, LIVEZ, READYZ, OPENAPI, INDEX, MODEL, UI, OTHER = range(len(ENDPOINTS))

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STATUSES = frozenset((200, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 429, 499, 500, 503, 504))
# The numbers: how many records there are, open connections, waiting requests, requests begun at each endpoint, then the
# records: endpoint, status, seconds in all and a count for each bucket. What has begun and is in no record is in work.
_USED, _CONNECTIONS, _WAITING, _BEGUN = range(4)
_FIRST = _BEGUN + len(ENDPOINTS)
_LENGTH = 3 + len(_BUCKETS) + 1
_CELLS = _FIRST + len(ENDPOINTS) * (len(_STATUSES) + 5) * _LENGTH
_FRESH_SECONDS = 1.0
_STATUS_SPAN = 1000


class Metrics:
    """Counts requests; endpoints and statuses come from fixed sets, so the number of series is bounded."""

    def __init__(self, service: str, version: str) -> None:
        self._labels = (service, version)
        # Collectors beside this one, which are given the labels service_name and service_version.
        self.more: list[Callable[[tuple[str, str]], Iterator[Any]]] = []
        self._shared = SharedCounters(_CELLS)
        self._cells = self._shared.mine
        self.close()  # the worker whose place this one takes may have died at work
        self._records = {_key(int(self._cells[at]), int(self._cells[at + 1])): at for at in _records(self._cells)}
        self._peers: list[memoryview[float]] = []
        self._looked = 0.0

    def begin(self, endpoint: int) -> float:
        """Count a request in; returns the time for `end`."""
        self._cells[_BEGUN + endpoint] += 1
        return perf_counter()

    def end(self, endpoint: int, status: int, begun: float) -> None:
        """Count a request out; `status` is the HTTP status, 499 where the client left first."""
        seconds, cells = perf_counter() - begun, self._cells
        at = self._records.get(_STATUS_SPAN * endpoint + status) or self._record(endpoint, status)
        cells[at + 2] += seconds
        cells[at + 3 + bisect_left(_BUCKETS, seconds)] += 1

    def connections(self, count: int) -> None:
        self._cells[_CONNECTIONS] = count

    def waiting(self, count: int) -> None:
        self._cells[_WAITING] = count

    def busier(self) -> bool:
        """Whether a living worker beside this one has fewer connections."""
        if time.monotonic() - self._looked > _FRESH_SECONDS:
            self._peers = [cells for pid, cells in self._shared.workers(living=True) if pid != os.getpid()]
            self._looked = time.monotonic()
        return any(peer[_CONNECTIONS] < self._cells[_CONNECTIONS] for peer in self._peers)

    def text(self) -> bytes:
        """The Prometheus text format; of all workers."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Any]:
        """What prometheus_client asks of a collector."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        answered, gauges = self._sums()
        service = ("service_name", "service_version")
        names = ("slipway_endpoint", *service, "http_response_code")
        total = CounterMetricFamily("bentoml_service_request", "Requests answered", labels=names)
        duration = HistogramMetricFamily("bentoml_service_request_duration_seconds", "Time to answer", labels=names)
        for (endpoint, status), (seconds, *counts) in sorted(answered.items()):
            labels = (ENDPOINTS[endpoint], *self._labels, str(status))
            total.add_metric(labels, sum(counts))
            bounds = [*map(str, _BUCKETS), "+Inf"]
            duration.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), seconds)
        name = "bentoml_service_request_in_progress"
        working = GaugeMetricFamily(name, "Requests in work", labels=("slipway_endpoint", *service))
        for name, count in zip(ENDPOINTS, gauges[_BEGUN:], strict=True):
            working.add_metric((name, *self._labels), count)
        connections = GaugeMetricFamily("slipway_connections", "Open connections", labels=service)
        connections.add_metric(self._labels, gauges[_CONNECTIONS])
        waiting = GaugeMetricFamily("slipway_requests_waiting", "Requests that wait for the model", labels=service)
        waiting.add_metric(self._labels, gauges[_WAITING])
        yield from (total, duration, working, connections, waiting)
        for more in self.more:
            yield from more(self._labels)

    def now(self) -> dict[str, int]:
        """Open connections, and requests that wait for the model, of all workers."""
        gauges = self._sums()[1]
        return {"connections": int(gauges[_CONNECTIONS]), "waiting": int(gauges[_WAITING])}

    def answers(self) -> dict[str, dict[str, int]]:
        """How many answers there were, by endpoint and status."""
        found: dict[str, dict[str, int]] = {}
        for (endpoint, status), (_, *counts) in sorted(self._sums()[0].items()):
            found.setdefault(ENDPOINTS[endpoint], {})[str(status)] = int(sum(counts))
        return found

    def close(self) -> None:
        """Take this process out of the gauges; its counts stay."""
        self._cells[_CONNECTIONS] = self._cells[_WAITING] = 0.0
        for endpoint, working in enumerate(_gauges(self._cells)[_BEGUN:]):
            self._cells[_BEGUN + endpoint] -= working

    def _record(self, endpoint: int, status: int) -> int:
        known = status if status in _STATUSES else status // 100 * 100
        at = self._records.get(_key(endpoint, known))
        if at is None:
            at = _FIRST + int(self._cells[_USED]) * _LENGTH
            self._cells[at], self._cells[at + 1] = endpoint, known
            self._cells[_USED] += 1
            self._records[_key(endpoint, known)] = at
        self._records[_key(endpoint, status)] = at
        return at

    def _sums(self) -> tuple[dict[tuple[int, int], list[float]], list[float]]:
        answered: dict[tuple[int, int], list[float]] = {}
        gauges = [0.0] * _FIRST
        for pid, shared in self._shared.workers():
            cells = memoryview(bytes(shared)).cast("d")  # of one moment: the others count on
            if is_alive(pid):
                gauges = [a + b for a, b in zip(gauges, _gauges(cells), strict=True)]
            for at in _records(cells):
                key = (int(cells[at]), int(cells[at + 1]))
                found = answered.get(key, [0.0] * (_LENGTH - 2))
                answered[key] = [a + b for a, b in zip(found, cells[at + 2 : at + _LENGTH], strict=True)]
        return answered, gauges


def _records(cells: "memoryview[float]") -> range:
    return range(_FIRST, _FIRST + int(cells[_USED]) * _LENGTH, _LENGTH)


def _gauges(cells: "memoryview[float]") -> list[float]:
    """The numbers before the records, with the requests in work for those begun."""
    found = list(cells[:_FIRST])
    for at in _records(cells):
        found[_BEGUN + int(cells[at])] -= sum(cells[at + 3 : at + _LENGTH])
    return [max(0.0, each) for each in found]


def _key(endpoint: int, status: int) -> int:
    return _STATUS_SPAN * endpoint + status
