"""`make audit`, with a double of OSV: every pin is asked about, a vulnerable one fails, and silence is no success."""

import subprocess
import sys

import pytest
from slipway.infra.home import ROOT, home

from slipway.ops.models.virtualenvs import environment
from slipway.simulator.web import web

KNOWN = {
    "vulns": [
        {
            "id": "PYSEC-2026-1", "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z",
            "summary": "it is broken", "details": "it is broken", "aliases": [],
            "affected": [{"package": {"ecosystem": "PyPI", "name": "bad"}, "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]}],
        }
    ]
}  # fmt: skip


@pytest.fixture
def project(tmp_path):
    """Two locks that pin a package in two versions, one of which is known to be broken."""
    for folder, versions in {"one": ["bad==1", "good==1"], "two": ["bad==2", "other==3"]}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "requirements.in").write_text("")
        (tmp_path / folder / "requirements.txt").write_text("".join(f"{each} \\\n    --hash=x\n" for each in versions))
    (tmp_path / "requirements.txt").write_text("unsourced==1\n")
    return tmp_path


def audit(project, url):
    python = environment([ROOT / "tools" / "audit.txt"], home() / "envs")
    command = [sys.executable, str(ROOT / "tools" / "audit.py"), str(python), "--root", str(project), "--osv-url", url]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_pin_is_asked_about_once_and_a_vulnerable_one_fails_with_its_lock(project):
    def answer(_path, body, _headers):
        return KNOWN if (body["package"]["name"], body["version"]) == ("bad", "1") else {}

    with web({"/v1/query": answer}) as osv:
        done = audit(project, f"{osv.address}/v1/query")
        asked = sorted((body["package"]["name"], body["version"]) for _, _, body, _ in osv.asked)
    assert asked == [("bad", "1"), ("bad", "2"), ("good", "1"), ("other", "3")]
    assert done.returncode == 1, done.stderr
    assert done.stdout == "bad 1: PYSEC-2026-1; in one/requirements.txt\n4 pins, see above\n"


def test_pins_of_which_nothing_is_known_pass(project):
    with web({"/v1/query": {}}) as osv:
        done = audit(project, f"{osv.address}/v1/query")
    assert (done.returncode, done.stdout) == (0, "4 pins, no known vulnerability\n")


def test_no_answer_is_no_success(project):
    done = audit(project, "http://127.0.0.1:9/v1/query")
    assert done.returncode == 2
    assert done.stdout == "" and "OSV did not answer, so nothing is known of the pins" in done.stderr
