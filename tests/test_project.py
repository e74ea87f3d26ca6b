"""What holds for the project's own files."""

import importlib
import os
import re
import subprocess
import sys

import pytest
from slipway.infra.home import ROOT

TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
FILES = TRACKED or [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("requirements*.*")]
LOCKS = [name for name in FILES if name.endswith(".txt") and (ROOT / name).with_suffix(".in").exists()]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_what_its_source_asks_for_with_hashes_and_names_no_host(lock):
    text = (ROOT / lock).read_text()
    pinned = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", text, re.MULTILINE))
    wanted = (ROOT / lock).with_suffix(".in").read_text()
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:==(\S+))?", wanted, re.MULTILINE):
        key = name.lower().replace("_", "-")
        assert key in pinned, f"{name} is not in {lock}: run make lock"
        assert version in ("", pinned[key]), f"{name}: run make lock"
    for requirement in re.split(r"\n(?=\S)", text):
        assert requirement.startswith("#") or "--hash=sha256:" in requirement, requirement[:80]
    assert "://" not in text


def test_every_make_target_that_the_docs_name_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"`make ([a-z-]+)|\$ make ([a-z-]+)", (ROOT / document).read_text()))
        assert {first or second for first, second in named} <= targets, document


def test_what_two_programs_of_the_test_cluster_are_made_of_is_compiled_once():
    """Of another version Go would compile it, and all that uses it, again."""
    modules = [
        dict(
            re.findall(
                r"^\t(\S+) (v\S+)", (ROOT / "tests" / "cluster" / "go" / name / "go.mod").read_text(), re.MULTILINE
            )
        )
        for name in ("metrics-server", "kwok")
    ]
    shared = modules[0].keys() & modules[1].keys()
    assert len(shared) > 50
    assert {name for name in shared if modules[0][name] != modules[1][name]} == set()


def test_make_lock_compiles_every_source():
    named = set(re.findall(r"[\w./-]+", told_by_make("lock")))
    for source in (ROOT / name for name in FILES if name.endswith(".in")):
        stem = source.relative_to(ROOT).with_suffix("").as_posix()
        found = {stem, source.parent.relative_to(ROOT).as_posix()} & named or stem == "slipway/pipeline/requirements"
        assert found, f"make lock leaves {stem}.in out"


def test_what_runs_seldom_can_still_be_imported():
    for script in re.findall(r"-m (tests\.\S+)", told_by_make("test-faults") + told_by_make("simulate")):
        importlib.import_module(script)
    command = [sys.executable, "-m", "pytest", "--collect-only", "tests/faults", "tests/cluster"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("stack", ["dev", "production"])
def test_make_setup_prints_no_passphrase_of_somebody_s_own(stack):
    assert "canary" not in told_by_make("setup", f"STACK={stack}", PULUMI_CONFIG_PASSPHRASE="canary")
    assert "PULUMI_CONFIG_PASSPHRASE=slipway-dev" in told_by_make("setup")


def told_by_make(*arguments, **variables):
    """What `make` would run and print."""
    environment = {name: value for name, value in os.environ.items() if name != "PULUMI_CONFIG_PASSPHRASE"}
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment | variables, capture_output=True, text=True, check=True
    ).stdout
