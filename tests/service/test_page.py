"""The page's files are open where only this machine can ask, and nowhere else; what it shows is open nowhere."""

import socket

import httpx
import pytest
from slipway.service.access.access import PAGE
from slipway.service.http.page import FOLDER

from tests.callers import HEADERS
from tests.service.conftest import ROOT


def statuses(url, headers=None):
    with httpx.Client(base_url=url, headers=headers or {}) as client:
        return {client.get(path).status_code for path in PAGE}


def test_on_a_loopback_listener_the_files_are_open_and_all_else_is_closed(start, artifacts, access_file):
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=access_file)
    assert statuses(worker.url) == {200}
    for path in ("/", "/status", "/model/card.md", "/explain", "/ui/", "/ui/index.html", "/ui/other.js"):
        assert httpx.get(f"{worker.url}{path}").status_code == 401, path
    assert httpx.post(f"{worker.url}/ui").status_code == 405
    answer = httpx.get(f"{worker.url}/ui")
    assert answer.headers["content-type"].startswith("text/html")
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("listener", ["0.0.0.0", "::"], indirect=True)
def test_on_a_listener_that_others_reach_they_are_closed_and_with_a_key_not_there(
    start, artifacts, access_file, listener
):
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=access_file)
    assert statuses(worker.url) == {401}
    assert statuses(worker.url, HEADERS) == {404}


@pytest.fixture
def listener(request):
    """The tests' listener, on the address that a test names."""
    host = getattr(request, "param", "127.0.0.1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, dualstack_ipv6=":" in host, backlog=2048) as found:
        yield found


@pytest.mark.parametrize("listener", ["0.0.0.0"], indirect=True)
def test_a_port_of_its_own_serves_this_machine_alone(start, artifacts, access_file, listener, free_port):
    workers = [
        start(artifacts["classifier"], "--page-port", str(free_port), SLIPWAY_ACCESS=access_file) for _ in range(2)
    ]
    own = f"http://127.0.0.1:{free_port}"
    assert statuses(own) == {200}
    assert httpx.get(f"{own}/status").status_code == 401
    body = {"inputs": {"features": [1, 2, 3, 4]}}
    assert httpx.post(f"{own}/predict", json=body, headers=HEADERS).status_code == 200
    assert statuses(workers[0].url) == {401}
    host = "127.0.0.2"  # this machine as well, by another address: the port is bound to the one
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{host}:{free_port}/ui")
    for worker in workers:
        worker.process.terminate()
        assert worker.end() == (0, "")


def test_every_file_of_the_page_is_served_and_shipped(start, artifacts):
    from slipway.infra.runtime import ONNX

    files = {file.name for file in FOLDER.iterdir()}
    assert files == {path.removeprefix("/ui/") for path in PAGE if path != "/ui"} | {"index.html"}
    assert {FOLDER / name for name in files} <= set(ONNX.serving_code())
    worker = start(artifacts["linear"])
    for path in PAGE - {"/ui"}:
        assert httpx.get(f"{worker.url}{path}").content == (ROOT / "service/page" / path[4:]).read_bytes()


def test_card_report_and_plot_are_told_to_who_has_a_key_and_the_model_to_nobody(start, classifier, access_file):
    from slipway.service.artifact import seal

    (classifier / "card.md").write_text("# a card")
    seal(classifier)
    worker = start(classifier, SLIPWAY_ACCESS=access_file)
    with httpx.Client(base_url=worker.url, headers=HEADERS, timeout=60) as client:
        assert client.get("/model/card.md").text == "# a card"
        for path in ("/model/report.json", "/model/model.onnx", "/model/../model.onnx", "/model/explanation.npz"):
            assert client.get(path).status_code == 404
