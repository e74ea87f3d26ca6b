"""Looks for what a stack may have left on this machine, and removes it."""

from __future__ import annotations

from slipway.infra.config.base import PROJECT
from slipway.infra.config.stack import StackConfig
from slipway.infra.home import home
from slipway.infra.platforms.answers import Swept
from slipway.infra.platforms.local import monitoring, runtime
from slipway.infra.platforms.local.service import stack_label
from slipway.infra.workload.names import namespace_of


def sweep(stack: str, config: StackConfig) -> Swept:
    """Processes, ports, run folders and what Prometheus reads; another stack's are left alone."""
    label = stack_label(f"{PROJECT}/{stack}")
    runs = home() / "run"
    owned = [run for run in sorted(runs.glob("*")) if (owner := runtime.owner_of(run)) and owner.stack == label]
    ports = sorted({int(run.name) for run in owned} | {s.port for s in config.services.values()})
    looked, left = [], []
    ended = 0
    for port in ports:
        run = runtime.run_folder(port)
        owner = runtime.owner_of(run)
        if owner and run not in owned:
            looked.append(f"port {port}: {owner}, left alone")
            continue
        ended += len(runtime.workers_of(run))
        runtime.stop(port, owner or runtime.Owner("", label))
        left += [f"process {process.pid}" for process in runtime.workers_of(run)]
        left += [str(run)] if run.exists() else []
        free = runtime.is_free(port)
        looked.append(f"port {port}: {'free' if free else f'in use{runtime.listener(port)}, not ours'}")
    for service in config.services.values():
        if (metrics_port := service.metricsPort) is not None:
            used = "free" if runtime.is_free(metrics_port) else f"in use{runtime.listener(metrics_port)}, not ours"
            looked.append(f"metrics port {metrics_port}: {used}")
    looked.append(f"processes of {label}: {f'{ended} found and ended' if ended else 'none'}")
    looked.append(f"run folders in {runs}: {len(owned)} found{' and removed' if owned else ''}")
    if monitoring.remove(namespace_of(PROJECT, stack), label):
        looked.append("files for Prometheus: found and removed")
    return looked, left
