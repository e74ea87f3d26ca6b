"""`slipway cost`: what a stack costs, resource by resource, and a refresh of the price table."""

from __future__ import annotations

from pathlib import Path

import click

from slipway.cli.stack import STACK
from slipway.infra.cost.prices import TABLE, Prices
from slipway.infra.cost.split import Share
from slipway.ops.prices.refresh import refresh_table
from slipway.ops.pull_request import cells, cost_config, cost_difference
from slipway.ops.state.preview import run_preview


@click.group()
def cost() -> None:
    """What a stack costs, and the price table."""


@cost.command()
@STACK
def show(stack: str) -> None:
    """Preview the stack, and say what each resource costs a month and how that differs from what runs now."""
    from rich.console import Console
    from rich.table import Table

    preview = run_preview(stack)
    found = cost_difference(preview, Prices.load(cost_config(preview)))
    table = Table("US dollars a month", "least", "expected", "most")
    for share in found.shares:
        table.add_row(share.name + ("" if share.is_whole else " (not all of it is known)"), *cells(share))
    table.add_section()
    table.add_row("all", *cells(Share(name="all", now=found.now.total, then=found.then.total, is_whole=True)))
    Console(highlight=False).print(table)
    for line in found.then.output()["unknown"]:
        click.echo(f"unknown: {line}")
    for error in preview.errors:
        click.echo(error, err=True)


@cost.command()
@click.option(
    "--region", "regions", multiple=True, help="Of AWS (us-east-1) or Google (europe-west4); default: all known."
)
@click.option("--machine", "machines", multiple=True, help="A machine type besides those of the table.")
@click.option("--table", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=TABLE, hidden=True)
def refresh(regions: tuple[str, ...], machines: tuple[str, ...], table: Path) -> None:
    """Take the figures from the clouds' own price lists, where they can be reached. AWS's are for anyone; Google's ask
    for $GOOGLE_API_KEY or a login. What no list tells, as AWS's spot prices, stays with its old source and date."""
    for line in refresh_table(table, regions, machines):
        click.echo(line)
