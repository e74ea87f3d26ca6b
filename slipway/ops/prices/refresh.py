"""The price table, made again from the clouds' own lists."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from slipway.infra.cost.price_list import Figure
from slipway.infra.platforms.table import clouds
from slipway.ops.progress import report
from slipway.pipeline.errors import BadInput

WIDTH = 118
ABOUT = """\
# What the clouds charge, in US dollars, without tax. Every figure has a source that can be looked up, and its date;
# what has none is not in here and shows as unknown. Your own prices go into `slipway:cost.prices`; `slipway cost
# refresh` writes this file anew.
#
# A figure is named <item>/<name>; `global`: the same in every region. `dated`: by its source; `read`: when looked up.
# Spot prices move: those of AWS are of the dearest zone of that day.
"""


def refresh_table(table: Path, regions: Collection[str], machines: Collection[str]) -> Iterator[str]:
    """Writes the table again with the figures that the clouds' lists have, and says what has changed, line by line.

    `regions`: none means all that the table has. `machines`: types besides those of the table.

    Raises:
        BadInput: a region is of no cloud.
        Unanswered: a list can't be read; the table is as it was.
    """
    content = yaml.safe_load(table.read_text())
    places = {(row["item"].split("/")[0], row["region"]) for row in content["prices"] if row["region"] != "global"}
    # Google's first: it may want a login, and AWS's lists are long.
    wanted = sorted((each for each in places if not regions or each[1] in regions), reverse=True)
    wanted += [(_cloud(each), each) for each in regions if each not in {region for _, region in places}]
    found: list[Figure] = []
    for cloud, region in wanted:
        report(f"reading the prices of {region}")
        found += _figures(cloud, region, {*machines, *_machines(content, cloud)})
    new = refreshed(content, found)
    _write(table, new)
    before, after = _by_item(content), _by_item(new)
    for key in sorted(after):
        if before.get(key) != after[key]:
            was = f"{before[key]}" if key in before else "not known"
            yield f"{' in '.join(key)}: {was} -> {after[key]}"
    asked = {region for _, region in wanted}
    stayed = sorted(f"{item} in {place}" for item, place in after if place in asked and not _has(found, item, place))
    yield f"{len(found)} figures read; in no list, and as they were: {', '.join(stayed) or 'none'}"


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
        raise BadInput(f"{region!r} is no region of a cloud that is known, such as us-east-1 or europe-west4")
    return found
