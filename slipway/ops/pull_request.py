"""What a reviewer of a pull request wants to know before anything happens, as Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from slipway.infra.config.cost import CostConfig
from slipway.infra.cost.declared import planned
from slipway.infra.cost.estimate import short
from slipway.infra.cost.needs import NONE
from slipway.infra.cost.predictions import cost_per_1k
from slipway.infra.cost.prices import Prices
from slipway.infra.cost.split import Difference, Share, difference
from slipway.infra.home import home
from slipway.infra.platforms.table import billing
from slipway.ops.models.builds import described
from slipway.ops.state.preview import Preview

SHOWN = 40
SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "±", "create-replacement": "±", "delete-replaced": ""}


def render(stack: str, preview: Preview, reports: Mapping[str, Mapping[str, Any] | None], plots: str = "") -> str:
    """The comment. `reports`: of each model by name, None where it is not built."""
    parts = [_headline(stack, preview)]
    if preview.errors:
        parts.append("\n".join(f"> {line}" for error in preview.errors for line in error.splitlines()))
    if preview.warnings:
        parts.append("\n".join(f"> **Look at** {_cell(each)}" for each in preview.warnings))
    if preview.blocking or preview.violations:
        parts.append("\n".join(_policy(preview)))
    if preview.steps:
        parts.append("\n".join(_changes(preview)))
        parts.append("\n".join(_cost(preview, reports)))
    for name, report in reports.items():
        parts.append("\n".join(_model(name, report, plots)))
    return "\n\n".join(parts) + "\n"


def _headline(stack: str, preview: Preview) -> str:
    counts = Counter(SIGNS.get(each["op"], each["op"]) for each in preview.changes)
    counts.pop("", None)
    change = ", ".join(f"{sign}{number}" for sign, number in sorted(counts.items())) or "no change"
    if preview.errors:
        return f"## `{stack}`: blocked"
    if preview.blocking:
        names = ", ".join(dict.fromkeys(each.policy for each in preview.blocking))
        return f"## `{stack}`: blocked by {names}"
    return f"## `{stack}`: {change}"


def _policy(preview: Preview) -> Iterator[str]:
    yield "### Policy\n"
    yield "| policy | resource | |"
    yield "|---|---|---|"
    for each in sorted(preview.violations, key=lambda each: (each.level != "mandatory", each.policy, each.resource)):
        mark = "**refused**: " if each.level == "mandatory" else ""
        yield f"| {each.policy} | {each.resource} | {mark}{_cell(each.message)} |"


def _changes(preview: Preview) -> Iterator[str]:
    steps = [each for each in preview.changes if SIGNS.get(each["op"], each["op"])]
    unchanged = sum(each["op"] in ("same",) for each in preview.steps)
    yield f"### Changes\n\n{len(steps)} of {len(steps) + unchanged} resources" + (":\n" if steps else ".")
    if steps:
        yield "| | type | name | what |"
        yield "|---|---|---|---|"
    order = {"-": 0, "±": 1, "~": 2, "+": 3}
    steps.sort(key=lambda each: (order.get(SIGNS.get(each["op"], ""), 4), each["urn"]))
    for step in steps[:SHOWN]:
        kind, name = str(step["urn"]).split("::")[-2:]
        keys = ", ".join(sorted(step.get("detailedDiff") or step.get("diffReasons") or _changed(step)))
        sign = SIGNS.get(step["op"], step["op"])
        yield f"| {sign} | {short(kind.rsplit('$', 1)[-1])} | {name} | {_cell(keys)} |"
    if len(steps) > SHOWN:
        yield f"\n… and {len(steps) - SHOWN} more."


def _changed(step: Mapping[str, Any]) -> list[str]:
    """Inputs that differ: our own resources tell no more of a difference than that there is one."""
    old, new = ((step.get(state) or {}).get("inputs") or {} for state in ("oldState", "newState"))
    return [key for key in {**old, **new} if old and new and not key.startswith("__") and old.get(key) != new.get(key)]


def _cost(preview: Preview, reports: Mapping[str, Mapping[str, Any] | None]) -> Iterator[str]:
    prices = Prices.load(cost_config(preview))
    found = cost_difference(preview, prices)
    old, new = found.now.total, found.then.total
    yield "### Cost\n"
    yield "| US dollars a month | now | after | difference |"
    yield "|---|---|---|---|"
    for case, was, will in (
        ("least", old.min, new.min), ("expected", old.expected, new.expected), ("most", old.max, new.max),
    ):  # fmt: skip
        yield f"| {case} | {was:,.2f} | {will:,.2f} | {will - was:+,.2f} |"
    if limit := int(preview.config.get("slipway:maxMonthlyUsd") or 0):
        yield f"\nThe limit is {limit:,} (`maxMonthlyUsd`)."
    if found.shares:
        yield ""
        yield from _by_resource(found)
    for line in found.then.output()["unknown"]:
        yield f"- unknown: {line}"
    region = next(iter(found.places.values()), "")
    for name, report in reports.items():
        yield f"\n1,000 predictions of {name}: {_per_1k(cost_per_1k(report, found.then, prices, region))}"


def cost_difference(preview: Preview, prices: Prices) -> Difference:
    """What runs now and what the preview leads to, in the regions of the configuration."""
    places = {key.split(":")[0]: str(value) for key, value in preview.config.items() if key.endswith(":region")}
    return difference(*planned(preview.steps), places, prices, billing())


def _by_resource(found: Difference) -> Iterator[str]:
    priced, all_ = len(found.then.priced), len(found.then.resources)
    yield f"<details><summary>{priced} of {all_} billed resources have a price; what changes is in brackets</summary>\n"
    yield "| resource | least | expected | most |"
    yield "|---|---|---|---|"
    for share in found.shares:
        mark = "" if share.is_whole else " (not all of it is known)"
        yield f"| {share.name}{mark} | {' | '.join(cells(share))} |"
    yield "\n</details>\n"


def cells(share: Share) -> list[str]:
    """The three cases, each with its change in brackets where there is one."""
    if share.now is None and share.then is None:
        return ["unknown"] * 3
    then, change = share.then or NONE, share.change
    pairs = ((then.min, change.min), (then.expected, change.expected), (then.max, change.max))
    return [f"{usd:,.2f}" + (f" ({by:+,.2f})" if round(by, 2) else "") for usd, by in pairs]


def _per_1k(figures: Mapping[str, Any]) -> str:
    if "unmeasured" in figures:
        return f"unmeasured ({figures['unmeasured']})"
    before = f" ({figures['before']:.3g} without optimization)" if "before" in figures else ""
    return f"{figures['after']:.3g} US dollars{before}, on {figures['machine']} kept busy by the model alone"


def _model(name: str, report: Mapping[str, Any] | None, plots: str) -> Iterator[str]:
    yield f"### Model {name}\n"
    if report is None:
        yield "Not built here, so not judged."
        return
    metric, chosen = report["metric"], report["choice"]["variant"]
    yield f"| variant | {metric['name']} | drop (at most) | p50 ms | per second | size | |"
    yield "|---|---|---|---|---|---|---|"
    for each in report["variants"]:
        marked = f"**{each['name']}**" if each["name"] == chosen else each["name"]
        if each["metric"] is None:
            yield f"| {marked} | | | | | | {_cell(each['note'])} |"
            continue
        drop = f"{each['drop']:.4f} ({each['dropUpper95']:.4f})" if each["drop"] is not None else ""
        p50 = f"{each['latencyMs']['p50']:.4f}" if each["latencyMs"] else "unmeasured"
        rate = f"{each['throughputPerSecond']:,.0f}" if each["throughputPerSecond"] else "unmeasured"
        note = "chosen" if each["name"] == chosen else each["note"]
        yield (
            f"| {marked} | {each['metric']:.4f} | {drop} | {p50} | {rate} | {each['sizeBytes'] / 1e6:,.2f} MB | "
            f"{_cell(note)} |"
        )
    hardware = report["hardware"]
    where = f"{hardware.get('machine') or hardware['cpu']}, {hardware['cores']} cores"
    if any(each["latencyMs"] for each in report["variants"]):
        yield f"\nMeasured on {where}."
    else:
        yield f"\nUnmeasured: it is for {hardware['target']}, and was built on {where}. {report['choice']['reason']}."
    if plots:
        yield f"[Plot of the variants]({plots})"


def built(preview: Preview) -> Iterator[tuple[str, Path | None]]:
    """The artifact of each model that the preview leads to, as far as it is built."""
    for step in preview.steps:
        new = step.get("newState") or {}
        if not str(new.get("type")).endswith("slipway:ModelArtifact"):
            continue
        inputs = new["inputs"]
        yield str(new["urn"]).rsplit("::", 1)[1], described(inputs["model"], home(), inputs.get("variantPin")).path


def cost_config(preview: Preview) -> CostConfig:
    text = preview.config.get("slipway:cost")
    return CostConfig.model_validate(json.loads(text) if isinstance(text, str) else text or {})


def errors_of(said: str) -> list[str]:
    """The error of each model that was not taken, or the end of what was said where there is none."""
    found = [line.split("error: ", 1)[1] for line in said.splitlines() if "error: " in line]
    return found or [said.strip()[-1000:]]


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
