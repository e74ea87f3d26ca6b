"""Small forms of the floods that `make test-faults` sends in earnest, against one process."""

import socket

import pytest

from tests.callers import access
from tests.service.conftest import Worker
from tests.service.flooded import flood

ROWS = [
    ("pipelined", "service", 0.2),
    ("one_trailer", "service", 0.2),
    ("get_without_end", "service", 0.03),
    ("bodies_that_stall", "service", 0.2),
    ("pipelined", "metrics", 0.2),
    ("endless_head", "metrics", 0.2),
    ("head_without_end", "metrics", 0.03),
]


@pytest.fixture(scope="module")
def worker(artifacts, tmp_path_factory):
    file = tmp_path_factory.mktemp("access") / "access.json"
    file.write_text(access())
    file.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        worker = Worker(artifacts["classifier"], listener, {"SLIPWAY_ACCESS": str(file)}, "--max-connections", "100")
        yield worker
        worker.close()


@pytest.mark.parametrize(("kind", "port", "scale"), ROWS)
def test_a_flood_takes_little_memory_and_no_good_request(kind, port, scale, worker):
    found = flood(worker, kind, port, 1.0, scale)
    assert found.sent and worker.process.poll() is None
    assert found.grown < 25_000_000
    assert (found.failed, found.in_a_row < 2) == (0, True) and found.good and found.probes
