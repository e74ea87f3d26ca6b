"""`slipway doctor`: what is wrong with a stack and what its running services know of themselves, in one screen."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from slipway.cli.addresses import KEY_FILE, URL, key, services
from slipway.cli.stack import STACK, config_of
from slipway.infra.platforms.table import PLATFORMS, row_of
from slipway.ops.state.outputs import outputs

_AGES = {"rules": "file found good", "issuerKeys": "issuer's keys had"}


@click.command()
@click.argument("service", required=False)
@STACK
@URL
@KEY_FILE
@click.option("--json", "as_json", is_flag=True, help="What /status answered, unrendered.")
@click.option("--watch", is_flag=True, help="Look at metrics for a while, and say what would alert.")
@click.option("--seconds", type=click.FloatRange(1, 3600), help="How long --watch looks; default: 60.")
def doctor(
    service: str | None,
    stack: str,
    url: str | None,
    key_file: Path | None,
    as_json: bool,
    watch: bool,
    seconds: float | None,
) -> None:
    """Look at the stack, and ask its services how they are; exits with 1 where something looks wrong."""
    from slipway.ops.service_status import asked

    if seconds is not None and not watch:
        raise click.ClickException("--seconds says how long --watch looks: add it")
    if watch:
        if url is not None or as_json:
            raise click.ClickException("--watch looks at the metrics of a stack's services: leave --url and --json out")
        from slipway.cli.verdicts import watch_for

        sys.exit(1 if watch_for(service, stack, seconds or 60) else 0)
    sick = False
    if url is None and service is None and not as_json:
        sick = _look_at_stack(stack)
    secret = key(key_file, stack if url is None else None)
    for name, address in services(service, stack, url, inside=True).items():
        told, problems = asked(address, secret)
        if not told:
            problems += _why_silent(address, stack if url is None else None)
        if as_json and told:
            click.echo(json.dumps(told, indent=1))
        else:
            _show(name, address, told, problems)
        sick = sick or bool(problems)
    sys.exit(1 if sick else 0)


def _why_silent(address: str, stack: str | None) -> list[str]:
    """What the stack's platform knows of a service that does not answer; of a bare address, what any platform does."""
    rows = PLATFORMS.values() if stack is None else [row_of(config_of(stack))]
    return [why for row in rows for why in row.why_silent(address)]


def _look_at_stack(stack: str) -> bool:
    """Says what is wrong with the stack itself; whether anything is."""
    from rich.console import Console
    from rich.markup import escape

    from slipway.ops.diagnose import stack_problems

    problems = list(stack_problems(stack, config_of(stack), outputs(stack, missing_ok=True)))
    console = Console(highlight=False, emoji=False)
    for problem in problems:
        console.print(f"  [red bold]![/] {escape(problem)}", soft_wrap=True)
    return bool(problems)


def _show(name: str, url: str, told: dict[str, Any], problems: list[str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, emoji=False)
    console.print(f"\n[bold]{escape(name)}[/]  {escape(url)}")
    if told:
        table = Table(box=None, show_header=False, pad_edge=False)
        for row in _rows(told):
            table.add_row(*map(escape, row))
        console.print(table)
    for problem in problems:
        console.print("  [red bold]![/]", escape(problem))
    if not problems:
        console.print("  [green]nothing looks wrong[/]")


def _rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    artifact, runtime, process, queue = told["artifact"], told["runtime"], told["process"], told["queue"]
    stages, drift, feedback, access = told["stages"], told["drift"], told["feedback"], told["access"]
    libraries = ", ".join(f"{name} {version}" for name, version in runtime["libraries"].items())
    answers = "; ".join(
        f"{endpoint} " + " ".join(f"{status}: {count:,}" for status, count in counts.items())
        for endpoint, counts in told["answers"].items()
        if endpoint not in ("/livez", "/readyz", "/status")
    )
    milliseconds = ", ".join(f"{name} {1000 * stages[name]:.3f}" for name in ("parse", "model", "encode"))
    most = ", ".join(f"{each['input']} {each['feature']} {each['psi']:.3f}" for each in drift["most"][:3])
    keys = [f"{key['name']}{' until ' + key['expires'] if key['expires'] else ''}" for key in access["keys"]]
    accuracy = feedback["accuracy"] if feedback["accuracy"] is not None else feedback["meanError"]
    scored = int(feedback["outcomes"]["scored"])
    rows = [
        ("artifact", f"{artifact['digest'][:19]} {artifact.get('variant', '')} ({artifact['task']})"),
        ("versions", f"Python {runtime['python']}, {libraries}"),
        ("provider", f"{runtime['provider']}, {runtime['threads']} thread(s), runs of up to {runtime['batch']}"),
        (
            "workers",
            f"{len(process['pids'])} up {process['upSeconds']:,} s, {process['memory'] / 1e6:.0f} MB, "
            f"{process['cpu']:.1f} s CPU, {process['files']} files",
        ),
        ("queue", f"{queue['waiting']} of {queue['most']} wait, {queue['connections']} connections"),
        ("answers", answers or "none yet"),
        ("mean ms", f"{milliseconds}; {stages['samples']:.1f} samples a run"),
        ("drift", f"{drift['drifted']} of {drift['watched']} in {drift['samples']} samples; most: {most or '-'}"),
        (
            "feedback",
            f"{scored} scored"
            + (
                f", {'accuracy' if feedback['accuracy'] is not None else 'mean error'} {accuracy:.4g}" if scored else ""
            ),
        ),
        ("access", ", ".join(keys + ([f"tokens of {access['jwt']}"] if access["jwt"] else [])) or "open"),
        ("its age", ", ".join(f"{_AGES[name]} {age:.0f} s ago" for name, age in access.get("ages", {}).items()) or "-"),
    ]
    for gpu in told["gpus"]:
        rows.append(
            ("gpu", f"{gpu['name']}, {gpu['busy']:.0%} busy, {gpu['used'] / 1e9:.1f} of {gpu['total'] / 1e9:.1f} GB")
        )
    for failure in told["failures"][:5]:
        rows.append(
            (
                "failed",
                f"{failure['at']} {failure['endpoint']} {failure['status']} {failure['code']} {failure['request_id']}",
            )
        )
    return [(f"  {name}", text) for name, text in rows]
