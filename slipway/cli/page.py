"""`slipway open`: the page of a service, wherever it runs."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from urllib.parse import urlsplit

import click

from slipway.cli.addresses import addresses
from slipway.cli.stack import STACK, config_of
from slipway.infra.platforms.table import row_of


@click.command("open")
@click.argument("service", required=False)
@STACK
@click.option("--no-browser", is_flag=True, help="Print the address alone.")
def open_page(service: str | None, stack: str, no_browser: bool) -> None:
    """Open the page of SERVICE. In a cluster the page is each pod's own: kubectl leads there until you end this."""
    from slipway.ops.reach import forwarded, kubectl_of

    found = addresses(service, stack, None)
    if len(found) != 1:
        raise click.ClickException(f"stack {stack} has {', '.join(found) or 'no services'}: name one")
    (name, url), config = next(iter(found.items())), config_of(stack)
    with ExitStack() as opened:
        if kubectl := row_of(config).kubectl:
            command = opened.enter_context(kubectl_of(stack, config, kubectl))
            url = opened.enter_context(forwarded(command, name, "page"))
        elif urlsplit(url).hostname != "127.0.0.1":
            raise click.ClickException(f"{name} shows its page on {urlsplit(url).hostname} alone: open it there")
        click.echo(f"{url}/ui")
        if not no_browser:
            click.launch(f"{url}/ui")
        if kubectl:
            click.echo("Ctrl-C ends the way there", err=True)
            sys.stdin.read()
