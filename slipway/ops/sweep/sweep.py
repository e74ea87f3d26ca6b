"""Looks for what a stack may have left: processes, ports, files, objects in a cluster, state."""

from __future__ import annotations

import os
import shutil

from cli.home import home
from cli.recover import backend_folder
from infra.config import PROJECT, ROOT, StackConfig
from infra.platforms.local import runtime
from infra.platforms.local.service import stack_label


def sweep_stack(stack: str) -> tuple[list[str], list[str]]:
    """Removes what is left of a stack after its destroy: (what was looked at, what could not be removed).

    Another stack's services and state are left alone, and so are the caches, which any stack may use.
    """
    config = StackConfig.from_file(stack)
    match config.platform:
        case "local":
            looked, left = _sweep_machine(stack, config)
        case "kubernetes":
            from cli.sweep_cluster import sweep_cluster

            looked, left = sweep_cluster(stack, config)
        case "aws":
            from cli.sweep_aws import sweep_aws

            looked, left = sweep_aws(stack, config)
        case "gcp":
            from cli.sweep_gcp import sweep_gcp

            looked, left = sweep_gcp(stack, config)
    looked.append(_sweep_state(left))
    looked.append(f"caches kept in {home()}: environments, artifacts, engine, serving code, this machine's key")
    return looked, left


def _sweep_machine(stack: str, config: StackConfig) -> tuple[list[str], list[str]]:
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
    return looked, left


def _sweep_state(left: list[str]) -> str:
    """Removes the project's own backend folder once no stack is in it."""
    folder = backend_folder(os.environ.get("PULUMI_BACKEND_URL", ""))
    if folder is None:
        return "state: the backend is not on this machine, ask it with `pulumi stack ls`"
    stacks = sorted(path.stem for path in (folder / ".pulumi" / "stacks").glob("*/*.json"))
    if stacks:
        return f"state in {folder}: other stacks are in it, kept ({', '.join(stacks)})"
    if folder == ROOT / ".slipway" / "state":
        shutil.rmtree(folder, ignore_errors=True)
        left += [str(folder)] if folder.exists() else []
        return f"state in {folder}: no stack left, removed"
    return f"state in {folder}: no stack left"
