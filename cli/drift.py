"""`slipway drift`: what is not as the last update left it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from cli.engine import pulumi
from cli.stack import STACK
from service.pipeline.errors import PipelineError

DRIFTED = 4
WHAT = {"update": "changed", "delete": "gone"}


@click.command()
@STACK
@click.option("--json", "as_json", is_flag=True, help="One object: resources by what happened to them.")
def drift(stack: str, as_json: bool) -> None:
    """Compare the clouds with the state, and change neither. Exits with 4 where somebody changed something by hand."""
    found = list(drifted(_read(stack)))
    if as_json:
        click.echo(json.dumps([{"resource": name, "what": what, "keys": keys} for name, what, keys in found]))
    for name, what, keys in [] if as_json else found:
        click.echo(f"{name}: {what}{': ' + ', '.join(keys) if keys else ''}")
    if not found and not as_json:
        click.echo(f"{stack}: as the last update left it")
    if found and not as_json:
        click.echo(f"\nTo put it back: make up STACK={stack}. To keep it: change the program, then make up.")
    sys.exit(DRIFTED if found else 0)


def drifted(steps: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, list[str]]]:
    """Each resource that differs, what happened to it, and the inputs it shows in."""
    for step in steps:
        if step["op"] not in WHAT and step["op"] != "refresh":
            continue
        old, new = step.get("oldState") or {}, step.get("newState") or {}
        keys = sorted(key.split(".")[0] for key in step.get("detailedDiff") or ())
        if step["op"] == "refresh" and not keys:
            keys = _changed(old.get("inputs") or {}, new.get("inputs") or {})
            if not keys and (new or not old):
                continue
        kind, name = str(step["urn"]).split("::")[-2:]
        what = "gone" if step["op"] == "delete" or not new else "changed"
        yield f"{kind.rsplit('$', 1)[-1].rsplit(':', 1)[-1]} {name}", what, sorted({*keys})


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted({*old, *new}) if not key.startswith("__") and old.get(key) != new.get(key)]


def _read(stack: str) -> list[Mapping[str, Any]]:
    # The program is run, so that providers get fresh credentials: those in the state have expired.
    said = pulumi("refresh", "--stack", stack, "--preview-only", "--run-program", "--json")
    start = said.find("{")  # what the engine says of plugins and of the lock comes first
    if start < 0:
        raise PipelineError(f"pulumi refresh says nothing that can be read: {said.strip()[-2000:]}")
    steps: list[Mapping[str, Any]] = json.loads(said[start:]).get("steps") or []
    return steps
