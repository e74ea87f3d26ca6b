"""Checks all that is pinned against OSV's list of known vulnerabilities, by the pip-audit of tools/audit.txt.

audit.py PYTHON [--root FOLDER] [--osv-url URL]. Exits with 1 where a pin is vulnerable, and with 2 where OSV did not
answer: then nothing is known, which is no success.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NONE, FOUND, UNKNOWN = 0, 1, 2
NOT_OURS = (".git", ".venv", ".slipway")
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
Pins = dict[tuple[str, str], list[str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="that of an environment with pip-audit")
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--osv-url", help="in place of OSV's own")
    options = parser.parse_args()
    held = pins(options.root)
    outcome = NONE
    for some in _layers(held):
        answer = _asked(options.python, some, options.osv_url)
        if answer is None:
            print("OSV did not answer, so nothing is known of the pins: docs/supply-chain.md", file=sys.stderr)
            return UNKNOWN
        for (name, version), found in answer.items():
            outcome = FOUND
            print(f"{name} {version}: {', '.join(found)}; in {', '.join(held[name, version])}")
    print(f"{len(held)} pins, {'see above' if outcome else 'no known vulnerability'}")
    return outcome


def pins(root: Path) -> Pins:
    """{(name, version): the locks that have it} of every lock: compiled, beside its source."""
    held: Pins = defaultdict(list)
    for source in sorted(root.rglob("*.in")):
        lock = source.with_suffix(".txt")
        if lock.exists() and not {*lock.relative_to(root).parts} & {*NOT_OURS}:
            for each in PIN.findall(lock.read_text()):
                held[each].append(lock.relative_to(root).as_posix())
    return dict(held)


def _layers(held: Pins) -> list[list[str]]:
    """The pins as lists that name no package twice, which pip-audit refuses."""
    layers: list[list[str]] = []
    seen: dict[str, int] = defaultdict(int)
    for name, version in sorted(held):
        layers += [[]] if seen[name] == len(layers) else []
        layers[seen[name]].append(f"{name}=={version}")
        seen[name] += 1
    return layers


def _asked(python: str, some: list[str], url: str | None) -> dict[tuple[str, str], list[str]] | None:
    """The vulnerabilities by pin; None where there was no answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(some))
        file.flush()
        command = [python, "-m", "pip_audit", "--vulnerability-service=osv", "--disable-pip", "--no-deps"]
        command += ["--progress-spinner=off", "--format=json", f"--requirement={file.name}"]
        command += [f"--osv-url={url}"] if url else []
        done = subprocess.run(command, capture_output=True, text=True)
    try:
        rows = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print((done.stderr.strip().splitlines() or [""])[-1], file=sys.stderr)
        return None
    return {(each["name"], each["version"]): [one["id"] for one in each["vulns"]] for each in rows if each["vulns"]}


if __name__ == "__main__":
    sys.exit(main())
