"""`slipway doctor --watch`: what would alert, from services' own metrics."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import click
from rich.console import Console
from rich.markup import escape

from slipway.cli.addresses import addresses
from slipway.cli.stack import config_of
from slipway.infra.platforms.table import row_of
from slipway.ops.promql import Looks
from slipway.ops.would_alert import EVERY, Verdict, verdicts, watched


def watch_for(service: str | None, stack: str, seconds: float) -> bool:
    """Says what the rules would alert of; whether anything. Raises Unanswered where metrics can't be had."""
    config = config_of(stack)
    row = row_of(config)
    if row.metrics is None:
        raise click.ClickException(
            f"--watch: a service on platform {row.name} is several pods, and only a Prometheus sees all of them: set "
            "its monitoring, and ask there for ALERTS; slipway doctor alone asks one pod"
        )
    tell, names = row.metrics, list(addresses(service, stack, None))
    click.echo(
        f"Looking at {', '.join(names)} every {min(EVERY, seconds):g} s for {seconds:g} s; rates are of this time, "
        "where the rules have five minutes."
    )

    def looks_at(name: str) -> Looks:
        return watched(lambda: tell(config, stack, name), seconds)

    with ThreadPoolExecutor() as together:
        found = dict(zip(names, together.map(looks_at, names), strict=True))
    fires = [_show(name, list(verdicts(looks))) for name, looks in found.items()]
    return any(fires)


def _show(name: str, found: list[Verdict]) -> bool:
    console = Console(highlight=False, emoji=False)
    console.print(f"\n[bold]{escape(name)}[/]")
    for each in found:
        for text in each.fires:
            lasting = f"{each.name} ({each.severity}): {text}; alerts once it lasts {each.lasting}"
            console.print(f"  [red bold]![/] {escape(lasting)}", soft_wrap=True)
    quiet = [each.name for each in found if not each.fires and not each.unknown]
    console.print(f"  [green]quiet[/]  {', '.join(quiet) or '-'}", soft_wrap=True)
    for each in found:
        if each.unknown:
            console.print(f"  not told  {each.name}: {escape(each.unknown)}", soft_wrap=True)
    return any(each.fires for each in found)
