"""What holds for the project's own files."""

import re
import subprocess

import pytest

from infra.config import ROOT

TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
FILES = TRACKED or [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("requirements*.txt")]
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
