"""Services that answer inside of a cluster alone are asked from outside through kubectl, of which there is a double."""

import json
import sys

import pytest
from click.testing import CliRunner
from slipway.infra.config.stack import StackConfig

from slipway.cli import addresses, doctor, page
from slipway.cli.main import slipway
from slipway.ops import reach
from slipway.simulator.web import web
from tests.contracts.stacks import STACKS

KUBECTL = """#!{python}
import json, sys, time
json.dump(sys.argv[1:], open({asked!r}, "w"))
if {port}:
    print("Forwarding from 127.0.0.1:{port} -> 3000", flush=True)
    time.sleep(60)
sys.exit("error: unable to forward port because pod is not running. Current status=Pending")
"""


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """Runs a command of a Google stack without an edge; what kubectl was asked, and what the command said."""
    config = StackConfig.model_validate(STACKS["gcp"])
    known = {"services": {"digits": {"url": "http://digits.slipway.svc:3000"}}, "namespace": "slipway"}
    monkeypatch.setattr(addresses, "outputs", lambda stack: known)
    monkeypatch.setattr(reach, "outputs", lambda stack, missing_ok: known)
    monkeypatch.setattr(reach, "pulumi", lambda *asked: "apiVersion: v1")
    for module in (addresses, doctor, page):
        monkeypatch.setattr(module, "config_of", lambda stack: config)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLIPWAY_KEY", "k" * 40)

    def run(port, *words):
        double, asked = tmp_path / "kubectl", tmp_path / "asked"
        double.write_text(KUBECTL.format(python=sys.executable, asked=str(asked), port=port))
        double.chmod(0o755)
        said = CliRunner().invoke(slipway, [*words, "--stack", "x"])
        return json.loads(asked.read_text()), said.output

    return run


def test_the_doctor_asks_a_service_inside_with_its_key(inside):
    answers = {"/status": lambda path, body, headers: (403 if "k" * 40 in headers["authorization"] else 500, {}, {})}
    with web(answers) as service:
        asked, said = inside(int(service.address.rpartition(":")[2]), "doctor", "digits")
    assert asked[2:] == ["--namespace", "slipway", "port-forward", "--address=127.0.0.1", "service/digits", ":3000"]
    assert "the key is not taken (403)" in said and service.address in said


def test_a_way_that_can_not_be_had_is_told_in_kubectls_words(inside):
    _, said = inside(0, "doctor", "digits")
    assert "digits: digits can't be reached in the cluster: error: unable to forward port" in said
    assert "asked at http://digits.slipway.svc:3000 instead" in said


def test_the_page_is_a_pods_own(inside):
    asked, said = inside(38123, "open", "digits", "--no-browser")
    assert asked[-2:] == ["deployment/digits", ":3001"]
    assert said.startswith("http://127.0.0.1:38123/ui\n")


def test_an_address_that_this_machine_knows_is_asked_as_it_is():
    assert not reach.is_inside("https://digits.example.org") and not reach.is_inside("http://127.0.0.1:3000")
    assert reach.is_inside("http://digits.slipway.svc:3000")
