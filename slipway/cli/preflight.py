"""`slipway preflight`."""

from __future__ import annotations

import os
import sys

import click

from slipway.cli.stack import STACK, config_of

MARKS = {
    "ok": ("green", "ok"),
    "failed": ("red", "failed"),
    "unknown": ("yellow", "unknown"),
    "warned": ("yellow", "warning"),
}


@click.command()
@STACK
@click.option("--skip", multiple=True, help="Leave a check out, by its name. $SLIPWAY_SKIP takes several, with commas.")
@click.option("--advise", is_flag=True, help="Exit with 0 whatever is found: a preview changes nothing.")
def preflight(stack: str, skip: tuple[str, ...], advise: bool) -> None:
    """Say what would fail before money is spent. Exits with 1 where something would; silent on this machine alone."""
    from slipway.ops.preflight.ask import answers
    from slipway.ops.preflight.checks import CHECKS, FAILED, run

    config = config_of(stack)
    named = frozenset({*skip, *filter(None, os.environ.get("SLIPWAY_SKIP", "").split(","))})
    if wrong := sorted(named - CHECKS.keys()):
        raise click.UsageError(f"no check is called {', '.join(wrong)}; there are {', '.join(CHECKS)}")
    findings = run(config, answers(config, stack), named)
    for each in findings:
        color, word = MARKS[each.outcome]
        click.secho(f"{word:8}", fg=color, nl=False, err=True)
        click.echo(f"{each.check}: {each.says}", err=True)
    sys.exit(1 if any(each.outcome == FAILED for each in findings) and not advise else 0)
