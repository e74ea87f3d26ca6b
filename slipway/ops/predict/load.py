"""How quickly a service answers when it is asked a lot."""

from __future__ import annotations

import asyncio
from collections import Counter
from math import log2
from pathlib import Path
from time import perf_counter
from typing import Any

from slipway.ops.predict.samples import batches
from slipway.pipeline.errors import BadInput
from slipway.service.client import AsyncClient, Refused, SlipwayError

_SHARES = (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)


async def sample(client: AsyncClient, files: tuple[Path, ...]) -> Any:
    """The first sample of the files, else the service's own example. Raises BadInput where files have none."""
    about = await client.about()
    if not files:
        return await client.example()
    first = next(batches(files, about["model"]["inputs"], (), 1), None)
    if first is None:
        raise BadInput(f"{', '.join(map(str, files))}: there is no sample in it")
    return first.inputs


async def measure(
    client: AsyncClient, inputs: Any, seconds: float, connections: int, rate: float | None
) -> dict[str, Any]:
    """Outcomes and times of the requests that `connections` workers send for `seconds`, each once."""
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
    return log2(max(value, 1e-6))
