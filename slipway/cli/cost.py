"""`slipway cost`: what a stack costs, resource by resource, and the price table anew from the clouds' own lists."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from slipway.cli.comment import cells, cost_config, cost_difference
from slipway.cli.stack import STACK
from slipway.infra.cost.prices import TABLE, Prices
from slipway.infra.cost.split import Share
from slipway.infra.platforms.table import clouds
from slipway.ops.state.preview import run_preview

if TYPE_CHECKING:
    from slipway.infra.cost.price_list import Figure

WIDTH = 118
ABOUT = """\
# What the clouds charge, in US dollars, without tax. Every figure has a source that can be looked up, and its date;
# what has none is not in here and shows as unknown. Your own prices go into `slipway:cost.prices`; `slipway cost
# refresh` writes this file anew.
#
# A figure is named <item>/<name>; `global`: the same in every region. `dated`: by its source; `read`: when looked up.
# Spot prices move: those of AWS are of the dearest zone of that day.
"""


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
    content = yaml.safe_load(table.read_text())
    places = {(row["item"].split("/")[0], row["region"]) for row in content["prices"] if row["region"] != "global"}
    # Google's first: it may want a login, and AWS's lists are long.
    wanted = sorted((each for each in places if not regions or each[1] in regions), reverse=True)
    wanted += [(_cloud(each), each) for each in regions if each not in {region for _, region in places}]
    found: list[Figure] = []
    for cloud, region in wanted:
        click.echo(f"reading the prices of {region}", err=True)
        found += _figures(cloud, region, {*machines, *_machines(content, cloud)})
    new = refreshed(content, found)
    _write(table, new)
    before, after = _by_item(content), _by_item(new)
    for key in sorted(after):
        if before.get(key) != after[key]:
            was = f"{before[key]}" if key in before else "not known"
            click.echo(f"{' in '.join(key)}: {was} -> {after[key]}")
    asked = {region for _, region in wanted}
    stayed = sorted(f"{item} in {place}" for item, place in after if place in asked and not _has(found, item, place))
    click.echo(f"{len(found)} figures read; in no list, and as they were: {', '.join(stayed) or 'none'}")


def _figures(package: str, region: str, machines: set[str]) -> list[Figure]:
    cloud = next(each for each in clouds() if each.package == package)
    return list(cloud.price_list(region, machines))


def refreshed(content: Mapping[str, Any], found: Iterable[Figure]) -> dict[str, Any]:
    """The table with the found figures in place of its own, each with its source. Sources that nothing names go."""
    sources: dict[str, Any] = dict(content["sources"])
    rows: dict[tuple[str, str, str, str], dict[str, float]] = {}
    for row in content["prices"]:
        key = (row["item"], row["region"], row["per"], row["source"])
        rows[key] = {**rows.get(key, {}), **row["usd"]}
    for each in found:
        item, name = each.item.rsplit("/", 1)
        for (kind, region, *_), usd in rows.items():
            if (kind, region) == (item, each.region):
                usd.pop(name, None)
        source = next((key for key, told in sources.items() if told["at"] == each.at), None)
        source = source or f"list-{len(sources)}-{each.region}"
        sources[source] = {"dated": each.dated, "at": each.at}
        rows.setdefault((item, each.region, each.per, source), {})[name] = float(each.usd)
    kept = [
        dict(zip(("item", "region", "per", "source"), key, strict=True), usd=usd) for key, usd in rows.items() if usd
    ]
    named = {row["source"] for row in kept}
    return {
        "date": datetime.now(UTC).date(),
        "sources": {key: told for key, told in sources.items() if key in named},
        "prices": kept,
    }


def dumped(content: Mapping[str, Any]) -> str:
    """The table as a file: a line for each source, and for each row that fits into one."""
    lines = [f"{ABOUT}date: {content['date']}\n\nsources:"]
    for key, source in content["sources"].items():
        day = next(each for each in ("dated", "read") if each in source)
        lines.append(f'  {key}: {{{day}: {source[day]}, at: "{source["at"]}"}}')
    lines.append("\nprices:")
    for row in content["prices"]:
        pairs = [f"{name}: {_plain(usd)}" for name, usd in row["usd"].items()]
        head = [f"{key}: {row[key]}" for key in ("item", "region", "per", "source")]
        whole = f"  - {{{', '.join(head)}, usd: {{{', '.join(pairs)}}}}}"
        if len(whole) <= WIDTH:
            lines.append(whole)
            continue
        lines += [f"  - {head[0]}", *(f"    {each}" for each in head[1:]), "    usd: {"]
        line = "     "
        for pair in pairs:
            if len(line) + len(pair) + 2 > WIDTH:
                lines.append(line)
                line = "     "
            line += f" {pair},"
        lines += [line.rstrip(","), "    }"]
    return "\n".join(lines) + "\n"


def _plain(usd: float) -> str:
    return f"{usd:.12f}".rstrip("0").rstrip(".")


def _write(table: Path, content: Mapping[str, Any]) -> None:
    """All of it or nothing."""
    with tempfile.NamedTemporaryFile("w", dir=table.parent, suffix=".yaml", delete=False) as file:
        file.write(dumped(content))
    Path(file.name).chmod(table.stat().st_mode & 0o777)
    os.replace(file.name, table)


def _by_item(content: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    return {
        (f"{row['item']}/{name}", row["region"]): usd for row in content["prices"] for name, usd in row["usd"].items()
    }


def _machines(content: Mapping[str, Any], cloud: str) -> set[str]:
    kinds = (f"{cloud}/instance", f"{cloud}/spot")
    return {name for row in content["prices"] if row["item"] in kinds for name in row["usd"]}


def _has(found: Iterable[Figure], item: str, region: str) -> bool:
    return any((each.item, each.region) == (item, region) for each in found)


def _cloud(region: str) -> str:
    found = next((each.package for each in clouds() if each.names_region(region)), None)
    if found is None:
        raise click.UsageError(f"{region!r} is no region of a cloud that is known, such as us-east-1 or europe-west4")
    return found
