"""What one connection may hold and how long it may stay, and who is answered when there are too many."""

import contextlib
import json
import re
import socket
import time

import httpx
import pytest

from bench.client import request
from tests.callers import HEADERS, access
from tests.service.abuse import GOOD
from tests.service.test_faults import gauge, port_of, turns
from tests.service.test_process import in_work, to_end
from tests.waiting import until

LIVE = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
FOREVER = turns(10**9)
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


def ask(port, said, seconds=20):
    """All that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as client:
        client.sendall(said)
        return to_end(client)


@pytest.mark.parametrize("trailer", [f"authorization: {HEADERS['authorization']}", "x-forwarded-for: 10.0.0.1"])
def test_a_trailer_is_no_header(trailer, start, artifacts, tmp_path):
    file = tmp_path / "access.json"
    file.write_text(
        access(allow=["10.0.0.0/8"], trustedProxies=["127.0.0.1/32"]) if "forwarded" in trailer else access()
    )
    file.chmod(0o600)
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=str(file))
    shown = f"authorization: {HEADERS['authorization']}\r\n" if "forwarded" in trailer else ""
    body = GOOD.partition(b"\r\n\r\n")[2]
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n{shown}"
    said = head.encode() + CHUNKED + b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    assert ask(port_of(worker), said + trailer.encode() + b"\r\n\r\n")[9:12] in (b"401", b"403")


def test_a_request_whose_body_does_not_end_ends_with_its_answer(start, artifacts):
    worker = start(artifacts["classifier"])
    ports = (port_of(worker), int(worker.metrics.rpartition(":")[2].partition("/")[0]))
    begin, clients = time.monotonic(), []
    with contextlib.ExitStack() as stack:
        for method in (b"GET", b"HEAD", b"POST", b"DELETE"):
            for rest in (b"content-length: 1000000000\r\n\r\n", CHUNKED):
                for port in ports:
                    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
                    client.sendall(method + b" /livez HTTP/1.1\r\nhost: x\r\n" + rest)
                    clients.append(client)
        assert all(to_end(client).startswith(b"HTTP/1.1 ") for client in clients)
    assert time.monotonic() - begin < 10


def test_empty_lines_keep_no_connection_open(start, artifacts):
    worker = start(artifacts["classifier"], "--keep-alive-seconds", "1")
    with socket.create_connection(("127.0.0.1", port_of(worker)), timeout=20) as client:
        client.sendall(LIVE)
        client.recv(1000)
        with contextlib.suppress(OSError):
            for _ in range(60):
                client.sendall(b"\r\n")
                time.sleep(0.2)
            pytest.fail("still open")


def test_what_waits_in_a_connection_is_bounded_and_answered(start, artifacts):
    worker = start(artifacts["classifier"])
    few, many = (ask(port_of(worker), LIVE * count + LIVE[:-2] + b"connection: close\r\n\r\n") for count in (20, 500))
    assert few.count(b"HTTP/1.1 200") == 21
    assert 1 < many.count(b"HTTP/1.1 200") < 40
    assert b"connection: close" in many


def test_a_bad_request_behind_a_good_one_takes_nothing_from_it(start, artifacts):
    worker = start(artifacts["loop"])
    answer = ask(port_of(worker), turns(2000) + b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and b"outputs" in answer and b"HTTP/1.1 400" not in answer


def test_whoever_comes_takes_the_place_of_whoever_has_done_least(start, artifacts):
    worker = start(artifacts["classifier"], "--max-connections", "3")
    with contextlib.ExitStack() as stack:
        open_ = [stack.enter_context(socket.create_connection(("127.0.0.1", port_of(worker)))) for _ in range(3)]
        for client in open_:
            client.settimeout(20)
        open_[0].sendall(GOOD)
        assert open_[0].recv(1000).startswith(b"HTTP/1.1 200")
        open_[2].sendall(LIVE)
        assert open_[2].recv(1000).startswith(b"HTTP/1.1 200")
        time.sleep(1.2)  # who has said nothing until now is slow
        assert b"HTTP/1.1 200" in ask(port_of(worker), LIVE[:-2] + b"connection: close\r\n\r\n")
        assert open_[1].recv(1000) == b""
        open_[0].sendall(GOOD)
        assert open_[0].recv(1000).startswith(b"HTTP/1.1 200")


def test_probes_are_answered_where_all_connections_are_at_work(start, artifacts):
    worker = start(artifacts["loop"], "--max-connections", "2", "--timeout-seconds", "6")
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(worker)))).sendall(FOREVER)
        until(lambda: gauge(worker, "slipway_connections") == 2)
        for path in ("/livez", "/readyz", "/v2/health/live"):
            assert httpx.get(worker.url + path).status_code == 200
        refused = httpx.post(worker.url + "/predict", json={"inputs": {"turns": [1]}})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "too_many_connections"


def test_bodies_that_stall_make_room_for_one_that_comes(start, artifacts):
    worker = start(artifacts["classifier"], "--max-held", "2000000")
    whole = request("/predict", json.dumps({"inputs": {"features": [[1, 2, 3, 4]] * 1000}}).encode() + b" " * 300_000)
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(socket.create_connection(("127.0.0.1", port_of(worker)))) for _ in range(6)]
        for client in stalled:
            client.sendall(whole[:-200_000])
            time.sleep(0.05)
        for _ in range(3):
            assert b"HTTP/1.1 200" in ask(port_of(worker), whole.replace(b"host:", b"connection: close\r\nhost:"))
        stalled[0].settimeout(20)
        assert stalled[0].recv(1000).startswith(b"HTTP/1.1 503")


def test_clients_that_left_the_queue_hold_nobody_up(start, artifacts):
    worker = start(artifacts["loop"], "--max-queue", "9")
    with contextlib.ExitStack() as stack:
        for _ in range(9):
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(worker)))).sendall(FOREVER)
        until(lambda: in_work(worker) == 9)
    until(lambda: in_work(worker) == gauge(worker, "slipway_requests_waiting") == 0)
    begin = time.monotonic()
    assert httpx.post(worker.url + "/predict", json={"inputs": {"turns": [2000]}}).status_code == 200
    assert time.monotonic() - begin < 3
    rows = re.findall(
        r'_total\{http_response_code="(\d+)",.*slipway_endpoint="/predict"\} ([\d.]+)$',
        httpx.get(worker.metrics).text,
        re.M,
    )
    assert dict(rows) == {"200": "1.0", "499": "9.0"}
