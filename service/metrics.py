"""Request metrics under BentoML's names, since BentoML can't count what does not pass through it."""

import glob
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

# Several workers add up through files in PROMETHEUS_MULTIPROC_DIR, which whoever starts them sets. The library
# decides on it when it is imported.
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LABELS = ("endpoint", "service_name", "service_version")


class Metrics:
    """Counts requests; endpoints come from a fixed set, so the number of series is bounded.

    Owns this process's files in PROMETHEUS_MULTIPROC_DIR where that is set, and leaves the folder alone.
    """

    def __init__(self, service: str, version: str) -> None:
        self._shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._registry = CollectorRegistry()
        self._base = (service, version)
        if self._shared:
            _forget_dead_processes(self._shared)
        code = (*_LABELS, "http_response_code")
        name, registry = "bentoml_service", self._registry
        total = Counter(f"{name}_request_total", "Requests answered", code, registry=registry)
        duration = Histogram(
            f"{name}_request_duration_seconds", "Time to answer", code, registry=registry, buckets=_BUCKETS
        )
        in_progress = Gauge(
            f"{name}_request_in_progress", "Requests in work", _LABELS, registry=registry, multiprocess_mode="livesum"
        )

        # labels() takes longer than counting does: keep the children.
        @lru_cache(maxsize=1024)
        def answered(endpoint: str, status: int) -> tuple[Counter, Histogram]:
            labels = (endpoint, *self._base, str(status))
            return total.labels(*labels), duration.labels(*labels)

        @lru_cache(maxsize=1024)
        def working(endpoint: str) -> Gauge:
            return in_progress.labels(endpoint, *self._base)

        self._answered, self._working = answered, working

    @contextmanager
    def request(self, endpoint: str) -> Iterator["Outcome"]:
        """Count one request; the body of the `with` sets the outcome's status."""
        working, outcome = self._working(endpoint), Outcome()
        working.inc()
        begin = time.perf_counter()
        try:
            yield outcome
        finally:
            working.dec()
            count, duration = self._answered(endpoint, outcome.status)
            count.inc()
            duration.observe(time.perf_counter() - begin)

    def text(self) -> bytes:
        """The Prometheus text format; of all workers that share PROMETHEUS_MULTIPROC_DIR where that is set."""
        if not self._shared:
            return generate_latest(self._registry)
        everything = CollectorRegistry()
        multiprocess.MultiProcessCollector(everything, self._shared)  # type: ignore[no-untyped-call]
        return generate_latest(everything)

    def close(self) -> None:
        """Take this process out of the gauges; its counts stay."""
        if self._shared:
            multiprocess.mark_process_dead(os.getpid(), self._shared)  # type: ignore[no-untyped-call]


class Outcome:
    """How a request ended: the HTTP status, 499 where the client left first."""

    __slots__ = ("status",)

    def __init__(self) -> None:
        self.status = 500


def _forget_dead_processes(folder: str) -> None:
    """A killed worker could not call `close`: its requests would stay 'in progress' for ever."""
    for file in glob.glob(f"{folder}/gauge_live*_*.db"):
        match = re.search(r"_(\d+)\.db$", file)
        if match and not _alive(int(match[1])):
            multiprocess.mark_process_dead(int(match[1]), folder)  # type: ignore[no-untyped-call]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
