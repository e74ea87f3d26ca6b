"""Takes a stack through its whole life with no account: preview, up, up again, checks, destroy, sweep.

python -m slipway.simulator.simulate --stack aws [--program DIR] [--scenario FILE]
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from slipway.infra.home import ROOT
from slipway.infra.platforms.table import PLATFORMS
from slipway.simulator import checkov, graph
from slipway.simulator.throwaway import Throwaway


def main() -> None:
    """Exits non-zero when a step fails, a second `up` changes something, or anything is left in the clouds' books."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", required=True, help="as in Pulumi.<stack>.yaml")
    parser.add_argument("--program", type=Path, default=ROOT, help="folder of the Pulumi program")
    parser.add_argument(
        "--scenario", type=Path, default=os.environ.get("SLIPWAY_SCENARIO"), help="a copy of scenario.yaml"
    )
    parser.add_argument("--no-checkov", action="store_true")
    options = parser.parse_args()
    _refuse_local(options.program, options.stack)
    with (
        tempfile.TemporaryDirectory() as folder,
        Throwaway(Path(folder), options.program.resolve(), options.stack, options.scenario) as stack,
    ):
        try:
            simulate(stack, with_checkov=not options.no_checkov)
        except AssertionError as error:
            raise SystemExit(f"\n{error}") from None


@dataclass(frozen=True, kw_only=True)
class Life:
    """What was seen of one: how many `resources`, components among them; what the second update did, in the engine's
    words, `again`; by type what was `left` by the destroy, all of which is retained on purpose."""

    resources: int
    again: str
    left: dict[str, int]


def simulate(stack: Throwaway, with_checkov: bool = True) -> Life:
    """Prints what each step found. Raises AssertionError at the first that is not as it should be."""
    started = time.monotonic()
    _timed("preview", stack.preview)
    _timed("up", stack.up)
    again = _timed("up again: 0 changes", lambda: stack.up("--expect-no-changes"))
    resources = stack.resources()
    assert not stack.astray(), "\n".join(stack.astray())
    print(f"\n{len(resources)} resources\n" + "\n".join(graph.tree(resources)))
    print("\n```mermaid\n" + "\n".join(graph.mermaid(resources)) + "\n```")
    print("\nIts components\n\n```mermaid\n" + "\n".join(graph.components(resources)) + "\n```")
    if with_checkov:
        findings = checkov.check(resources)
        accepted = findings.accepted()
        print(
            f"\ncheckov: {findings.passed} passed, {len(findings.failed)} failed, {len(accepted)} of them with a reason"
        )
        for (check, demand), count in Counter((check, demand) for check, _, demand in findings.failed).items():
            names = ", ".join(sorted(name for each, name, _ in findings.failed if each == check))
            print(f"  {check} {demand} ({names if count < 4 else f'{count} resources'})")
            for reason in sorted({why for (each, _), why in accepted.items() if each == check}):
                print(f"    accepted: {reason}")
        if stack.stack != "example":  # the small examples are no stacks of ours
            bare = sorted(f"{check} {name}" for check, name, _ in findings.failed if (check, name) not in accepted)
            assert not bare, "failed with no reason in accepted.yaml:\n" + "\n".join(bare)
        assert not findings.uncounted, f"checkov did not look at {', '.join(findings.uncounted)}"
    print()
    if any(each.get("protect") for each in resources):
        _timed("destroy: refused, nothing is deleted", lambda: _refused(stack))
        _timed("release", stack.release)
    _timed("destroy", stack.destroy)
    left = {f"{each['type']} {each['id']}" for each in stack.books.all()}
    kept = {f"{each['type']} {each['id']}" for each in resources if each.get("retainOnDelete")}
    assert left == kept, "left in the clouds:\n" + "\n".join(left ^ kept)
    but = f" but what is retained: {', '.join(sorted(kept))}" if kept else ""
    print(f"sweep: nothing is left in the clouds{but}\nall of it took {time.monotonic() - started:.0f} s")
    kinds = Counter(each["type"].split(":")[-1] for each in resources if each.get("retainOnDelete"))
    did = re.search(r"Resources:\n((?: +.+\n)+)", again)
    return Life(resources=len(resources), again=", ".join(did[1].split("\n")).strip(" ,") if did else "", left=kinds)


def _refused(stack: Throwaway) -> str:
    before = stack.books.all()
    said = stack.destroy(fails=True)
    assert stack.books.all() == before, "a destroy of what is protected has deleted something"
    return said


def _timed(name: str, step: Callable[[], str]) -> str:
    started = time.monotonic()
    said = step()
    print(f"{name}: {time.monotonic() - started:.1f} s", flush=True)
    return said


def _refuse_local(program: Path, stack: str) -> None:
    file = program / f"Pulumi.{stack}.yaml"
    if not file.exists():
        raise SystemExit(f"{file} is missing: name a stack that has a file")
    settings = (yaml.safe_load(file.read_text()) or {}).get("config") or {}
    name = settings.get("slipway:platform", settings.get("platform", next(iter(PLATFORMS))))
    if program == ROOT and name in PLATFORMS and PLATFORMS[name].on_this_machine:
        raise SystemExit(f"{stack} runs on this machine: `make up STACK={stack}` does that for real")


if __name__ == "__main__":
    main()
