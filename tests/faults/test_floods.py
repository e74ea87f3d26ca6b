"""Every flood of a stranger without a key, against either port of one process that may map 512 MiB."""

import os
from pathlib import Path

import psutil
import pytest

from tests.service.flooded import PORTS, flood
from tests.service.floods import KINDS

SECONDS, BUDGET = 10.0, 60_000_000


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_takes_little_memory_and_no_good_request(kind, port, start, artifacts, access_file, found):
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=access_file)
    seen = flood(worker, kind, port, SECONDS)
    found(
        f"Flood of the {port} port: {kind.replace('_', ' ')}",
        f"{seen.sent / 1e6:,.0f} MB, {seen.connections:,} connections, {SECONDS:.0f} s, {_load()}",
        f"+{seen.grown / 1e6:.0f} MB; good requests: {seen.good} of {seen.good + seen.failed} answered with 200; "
        f"probes and scrapes: {seen.probes - seen.late} of {seen.probes} in time, "
        f"the slowest after {seen.slowest:.1f} s",
    )
    assert psutil.pid_exists(worker.process.pid) and worker.process.poll() is None
    assert seen.grown < BUDGET
    assert seen.good and not seen.failed
    assert seen.in_a_row < 2


def _load() -> str:
    """Of this machine, and whether it gave way: late probes tell nothing where it did not."""
    group = Path("/proc/self/autogroup")  # as `/autogroup-7 nice -10`
    gave_way = group.exists() and int(group.read_text().split()[-1]) < 0
    return f"load {os.getloadavg()[0]:.0f}{' of lower priority' if gave_way else ''}"
