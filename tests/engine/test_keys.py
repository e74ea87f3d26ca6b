"""Keys on the real engine: set as secrets, changed without a restart, and to be read nowhere."""

import contextlib
import hashlib
import json
import os
import secrets
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from slipway.infra.home import home
from slipway.infra.local_key import key_file
from slipway.infra.platforms.local import runtime

from tests.engine.checkout import Checkout
from tests.engine.test_local_stack import free_ports, place

__all__ = ["place"]
pytestmark = pytest.mark.engine
FIRST, SECOND = secrets.token_hex(32), secrets.token_hex(32)


@pytest.fixture(scope="module")
def port():
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def checkout(place, port):
    made = Checkout(place / "one", place / "state", {"steep": port})
    set_key(made, "first", FIRST)
    return made


def set_key(checkout, name, key):
    checkout.run("pulumi", "config", "set", "--stack", "test", "--secret", "--path", f"slipway:apiKeys.{name}", key)


def status(port, key):
    body = json.dumps({"inputs": {"x": [1, 2, 3, 4]}}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}/predict", body, headers), timeout=10) as response:
            return response.status
    except HTTPError as refusal:
        return refusal.code


def test_a_key_that_is_set_as_a_secret_opens_the_service_and_the_machines_own_does_not(checkout, port):
    said = [checkout.build(), checkout.up("--diff")]
    assert status(port, FIRST) == 200
    assert status(port, SECOND) == 401
    assert not key_file().exists()
    assert_secret(checkout, port, said)


def test_another_key_is_taken_without_a_restart_and_one_that_is_removed_ends(checkout, port):
    pids = runtime.serving(port)["pids"]
    set_key(checkout, "second", SECOND)
    said = [checkout.run("pulumi", "preview", "--stack", "test", "--diff", "--json")]
    assert checkout.changes() == {"LocalService steep": "update"}
    said.append(checkout.up("--diff"))
    assert (status(port, FIRST), status(port, SECOND)) == (200, 200)
    checkout.run("pulumi", "config", "rm", "--stack", "test", "--path", "slipway:apiKeys.first")
    said.append(checkout.up("--diff"))
    assert (status(port, FIRST), status(port, SECOND)) == (401, 200)
    assert runtime.serving(port)["pids"] == pids
    assert checkout.changes() == {}
    assert_secret(checkout, port, said)


def test_a_key_in_plain_text_is_refused_before_anything_is_touched(checkout, port):
    file = checkout.path / "Pulumi.test.yaml"
    good = file.read_text()
    checkout.run("pulumi", "config", "set", "--stack", "test", "--path", "slipway:apiKeys.plain", "p" * 40)
    for said in (checkout.build(fails=True), checkout.up(fails=True)):
        assert "slipway:apiKeys: stands in plain text" in said
        assert "p" * 40 not in said
    file.write_text(good)
    assert status(port, SECOND) == 200


def test_the_service_shows_its_key_line_without_the_key(checkout):
    said = checkout.run(sys.executable, "-m", "slipway.cli", "stack", "show", "--stack", "test")
    assert "-H 'authorization: Bearer <your key>'" in said


def assert_secret(checkout, port, said):
    """F10: neither keys nor what they are kept as, nor the signing key, where anybody could come across them."""
    access = json.loads((runtime.run_folder(port) / "access.json").read_text())
    assert (runtime.run_folder(port) / "access.json").stat().st_mode & 0o777 == 0o600
    kept = [hashlib.sha256(key.encode()).hexdigest() for key in (FIRST, SECOND)]
    canaries = [FIRST, SECOND, access["signing"], *kept]
    places = {
        "outputs": checkout.run("pulumi", "stack", "output", "--json", "--show-secrets", "--stack", "test"),
        "state": json.dumps(checkout.state()),
        "stack file": (checkout.path / "Pulumi.test.yaml").read_text(),
        "what was said": "\n".join(said),
        "processes": "\n".join(processes()),
        "environments": "\n".join(str(each.environ()) for each in runtime.workers_of(runtime.run_folder(port))),
    }
    for file in [*runtime.run_folder(port).rglob("*"), *(home() / "services").rglob("*.py")]:
        if file.is_file() and file.name != "access.json":
            places[str(file)] = file.read_text(errors="replace")
    found = [(place, canaries.index(canary)) for place, text in places.items() for canary in canaries if canary in text]
    assert found == []


def processes():
    """The command lines of all that runs here but for this process."""
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if each.pid != os.getpid():
                yield " ".join(each.cmdline())
