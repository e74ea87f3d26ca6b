"""`slipway load`: how quickly a service answers when it is asked a lot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli.addresses import asking, one

if TYPE_CHECKING:
    from slipway.service.client import AsyncClient

_BAR = 40


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@asking
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True)
@click.option("--connections", "-c", type=click.IntRange(1, 1024), default=8, show_default=True)
@click.option("--rate", type=click.FloatRange(0.1), help="Requests a second in all; else as many as are answered.")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
def load(
    files: tuple[Path, ...],
    service: str | None,
    stack: str,
    url: str | None,
    key_file: Path | None,
    seconds: float,
    connections: int,
    rate: float | None,
    as_json: bool,
) -> None:
    """Ask a service for a while, about the first sample of FILES or its own example, and show how long answers took.

    Nothing is sent twice. With --rate a request's time begins when it was due, however late it could be sent. The
    times hold this client's own work too, about a millisecond where it has a core for itself.
    """
    from slipway.cli.ask import with_client
    from slipway.ops.predict.load import measure, sample
    from slipway.service.client.retries import NEVER

    async def ask(client: AsyncClient) -> None:
        inputs = await sample(client, files)
        await client.predict(inputs)
        client.retry = NEVER
        result = await measure(client, inputs, seconds, connections, rate)
        click.echo(json.dumps(result)) if as_json else _show(result)

    with_client(one(service, stack, url, key_file), ask)


def _show(result: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    outcomes = ", ".join(f"{name}: {count:,}" for name, count in sorted(result["outcomes"].items()))
    console.print(f"{result['perSecond']:,.0f} answers a second for {result['seconds']:.1f} s ({outcomes})")
    console.print("  ".join(f"p{share} {value:.2f}" for share, value in result["latencyMs"].items()), "ms\n")
    most = max((count for _, count in result["histogram"]), default=1)
    for bound, count in result["histogram"]:
        bar = "█" * round(_BAR * count / most) or ("▏" if count else "")
        console.print(f"{bound:>9.2f} ms  {bar} {count if count else ''}")
