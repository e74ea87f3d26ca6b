"""What the workers take of their machine: processors, memory, files, and the GPU where one runs the model."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from slipway.service.telemetry.shared_counters import living_workers

_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class HostUsage:
    """Figures of all living workers together, read when somebody asks."""

    def __init__(self, provider: str) -> None:
        self._gpu = provider in ("cuda", "tensorrt")
        self._began = time.monotonic()  # clocks are set

    def seconds(self) -> float:
        """How long this process has been up."""
        return time.monotonic() - self._began

    def processes(self) -> dict[str, Any]:
        """`pids`, and sums: `cpu` seconds, resident `memory` bytes, open `files`."""
        pids, total = living_workers(), {"cpu": 0.0, "memory": 0, "files": 0}
        for pid in pids:
            with contextlib.suppress(OSError, IndexError, ValueError):  # ended meanwhile
                with open(f"/proc/{pid}/stat") as stat:
                    fields = stat.read().rpartition(")")[2].split()
                total["cpu"] += (int(fields[11]) + int(fields[12])) / _TICKS
                total["memory"] += int(fields[21]) * _PAGE
                total["files"] += len(os.listdir(f"/proc/{pid}/fd"))
        return {"pids": pids, **total}

    def gpus(self) -> list[dict[str, Any]]:
        """`name`, `used` and `total` memory bytes and `busy` share of each; none where no GPU runs the model."""
        if not self._gpu:
            return []
        try:
            import pynvml

            pynvml.nvmlInit()
        except Exception:  # no library or no driver: the model's own session says so louder
            return []
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory, rates = pynvml.nvmlDeviceGetMemoryInfo(handle), pynvml.nvmlDeviceGetUtilizationRates(handle)
            name = str(pynvml.nvmlDeviceGetName(handle))
            found.append({"name": name, "used": memory.used, "total": memory.total, "busy": rates.gpu / 100})
        return found

    def collect(self, labels: tuple[str, str]) -> Iterator[Any]:
        """The metric families, with the labels service_name and service_version."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        service, found = ("service_name", "service_version"), self.processes()
        cpu = CounterMetricFamily("slipway_process_cpu_seconds", "Of the living workers", labels=service)
        cpu.add_metric(labels, found["cpu"])
        gauges = {
            "slipway_workers": ("Living workers", len(found["pids"])),
            "slipway_process_resident_memory_bytes": ("Of the living workers", found["memory"]),
            "slipway_process_open_fds": ("Of the living workers", found["files"]),
        }
        yield cpu
        for name, (text, value) in gauges.items():
            family = GaugeMetricFamily(name, text, labels=service)
            family.add_metric(labels, value)
            yield family
        gpus = self.gpus()
        for key, name in (
            ("used", "slipway_gpu_memory_used_bytes"),
            ("total", "slipway_gpu_memory_bytes"),
            ("busy", "slipway_gpu_busy_ratio"),
        ):
            family = GaugeMetricFamily(name, "Of each GPU", labels=(*service, "gpu"))
            for index, gpu in enumerate(gpus):
                family.add_metric((*labels, str(index)), gpu[key])
            yield family
