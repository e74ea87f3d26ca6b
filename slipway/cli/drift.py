"""`slipway drift`: what is not as the last update left it."""

from __future__ import annotations

import json
import sys

import click

from slipway.cli.stack import STACK
from slipway.ops.state.drift import UNREAD, drifted, unread
from slipway.ops.state.pulumi import steps

DRIFTED = 4


@click.command()
@STACK
@click.option("--json", "as_json", is_flag=True, help="One object: resources by what happened to them.")
@click.option("--all", "everything", is_flag=True, help="Secrets, Helm releases and budgets, too: takes who deploys.")
def drift(stack: str, as_json: bool, everything: bool) -> None:
    """Compare the clouds with the state, and change neither. Exits with 4 where somebody changed something by hand."""
    # The program is run, so that providers get fresh credentials: those in the state have expired.
    found = list(
        drifted(
            steps("refresh", "--stack", stack, "--preview-only", "--run-program", *([] if everything else unread()))
        )
    )
    if as_json:
        click.echo(json.dumps([{"resource": name, "what": what, "keys": keys} for name, what, keys in found]))
    for name, what, keys in [] if as_json else found:
        click.echo(f"{name}: {what}{': ' + ', '.join(keys) if keys else ''}")
    if not found and not as_json:
        click.echo(f"{stack}: as the last update left it")
    if not everything and not as_json:
        click.echo(f"Not looked at: {', '.join(dict.fromkeys(UNREAD.values()))}: slipway drift --all")
    if found and not as_json:
        click.echo(f"\nTo put it back: make up STACK={stack}. To keep it: change the program, then make up.")
    sys.exit(DRIFTED if found else 0)
