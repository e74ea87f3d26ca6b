"""`slipway load`: how quickly a service answers when it is asked a lot."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from slipway.cli.addresses import asking, one
from slipway.pipeline.errors import BadInput

if TYPE_CHECKING:
    from slipway.service.client import AsyncClient

_SHARES = (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
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
    from slipway.service.client.retries import NEVER

    async def ask(client: AsyncClient) -> None:
        inputs = await _sample(client, files)
        await client.predict(inputs)
        client.retry = NEVER
        result = await _load(client, inputs, seconds, connections, rate)
        click.echo(json.dumps(result)) if as_json else _show(result)

    with_client(one(service, stack, url, key_file), ask)


async def _sample(client: AsyncClient, files: tuple[Path, ...]) -> Any:
    from slipway.ops.predict.samples import batches

    about = await client.about()
    if not files:
        return await client.example()
    first = next(batches(files, about["model"]["inputs"], (), 1), None)
    if first is None:
        raise BadInput(f"{', '.join(map(str, files))}: there is no sample in it")
    return first.inputs


async def _load(
    client: AsyncClient, inputs: Any, seconds: float, connections: int, rate: float | None
) -> dict[str, Any]:
    from slipway.service.client import Refused, SlipwayError

    times: list[float] = []
    outcomes: Counter[str] = Counter()
    begin = perf_counter()
    due = iter(range(10**12))

    async def worker() -> None:
        while True:
            at = begin + next(due) / rate if rate else perf_counter()
            if max(at, perf_counter()) >= begin + seconds:
                return
            if at > perf_counter():
                await asyncio.sleep(at - perf_counter())
            try:
                await client.predict(inputs)
                outcomes["200"] += 1
                times.append(perf_counter() - at)
            except Refused as error:
                outcomes[str(error.status)] += 1
            except SlipwayError as error:
                outcomes[type(error).__name__] += 1

    await asyncio.gather(*(worker() for _ in range(connections)))
    elapsed = perf_counter() - begin
    ordered = sorted(times)
    return {
        "outcomes": dict(outcomes),
        "seconds": elapsed,
        "perSecond": len(times) / elapsed,
        "latencyMs": {f"{100 * share:g}": 1e3 * _at(ordered, share) for share in _SHARES} if ordered else {},
        "histogram": _histogram(ordered),
    }


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _histogram(ordered: list[float]) -> list[tuple[float, int]]:
    """Upper bounds in milliseconds, five to each doubling or halving, and how many answers took up to so long."""
    found: Counter[int] = Counter(round(5 * _log2(1e3 * each)) for each in ordered)
    if not found:
        return []
    return [(2 ** ((number + 0.5) / 5), found[number]) for number in range(min(found), max(found) + 1)]


def _log2(value: float) -> float:
    from math import log2

    return log2(max(value, 1e-6))


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
