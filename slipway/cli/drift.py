"""`slipway drift`: what is not as the last update left it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from slipway.cli.stack import STACK
from slipway.ops.state.pulumi import short, steps

DRIFTED = 4
WHAT = {"update": "changed", "delete": "gone"}


@click.command()
@STACK
@click.option("--json", "as_json", is_flag=True, help="One object: resources by what happened to them.")
def drift(stack: str, as_json: bool) -> None:
    """Compare the clouds with the state, and change neither. Exits with 4 where somebody changed something by hand."""
    # The program is run, so that providers get fresh credentials: those in the state have expired.
    found = list(drifted(steps("refresh", "--stack", stack, "--preview-only", "--run-program")))
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
        what = "gone" if step["op"] == "delete" or not new else "changed"
        yield short(step["urn"]), what, sorted({*keys})


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted({*old, *new}) if not key.startswith("__") and old.get(key) != new.get(key)]
