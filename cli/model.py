"""`slipway model`: describe, build, show, new, lock."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.home import home

if TYPE_CHECKING:
    from rich.console import Console

    from cli.builds import Model


@click.group()
def model() -> None:
    """Build models, look at them, and lock what they need."""


@model.command()
@click.argument("ref")
@click.option("--variant", help="As a build with this pinned variant.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def describe(ref: str, variant: str | None, as_json: bool) -> None:
    """Say what REF is now, without building: its inputsKey, and digest and path where it is built."""
    from cli.builds import described

    found = described(ref, home(), variant)
    fields = _identity(found) | {"path": None if found.path is None else str(found.path)}
    if as_json:
        click.echo(json.dumps(fields))
    else:
        for name, value in fields.items():
            click.echo(f"{name:10} {value or 'not built'}")


@model.command()
@click.argument("refs", metavar="REF...", nargs=-1, required=True)
@click.option("--variant", help="Build this variant or fail; without it the fastest inside the budget is taken.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output, tables on the other.")
@click.option("--verbose", is_flag=True, help="Show tracebacks and what libraries print.")
def build(refs: tuple[str, ...], variant: str | None, as_json: bool, verbose: bool) -> None:
    """Build the models that the store lacks, and show their variants and which one was chosen.

    Exit codes: 0 built or there already, 2 something in the folder is wrong, 3 refused by the gate.
    """
    from cli.builds import build as build_one

    for ref in refs:
        built = build_one(ref, home(), variant, verbose)
        report = built.report()
        if built.built or not as_json:
            _print_table(built, report, to_stderr=as_json)
        if as_json:
            click.echo(json.dumps(_result(built, report)))


@model.command()
@click.argument("ref")
def show(ref: str) -> None:
    """Show the report of a built model."""
    from rich.markdown import Markdown

    from cli.builds import described
    from service.pipeline.errors import BadInput

    found = described(ref, home())
    if found.path is None:
        raise BadInput(f"{ref} is not built; run: slipway model build {ref}")
    report = (found.path / "report.md").read_text(encoding="utf-8")
    lines = [line for line in report.splitlines() if not line.startswith("![")]
    _console().print(Markdown("\n".join(lines)))
    click.echo(f"{found.path}\nTensorBoard logs: {found.store.logs(found.digest or '')}")


@model.command()
@click.argument("name")
@click.option("--task", type=click.Choice(["classification", "regression"]), default="classification")
def new(name: str, task: str) -> None:
    """Start a model folder models/NAME, and say what to fill in."""
    from cli.scaffold import scaffold
    from service.pipeline.errors import shown

    folder = scaffold(name, task)
    click.echo(
        f"{shown(folder)} is there. Next:\n"
        f"  1. model.yaml: the worst figure that may be deployed, and the budget\n"
        f"  2. requirements.in: the packages; then slipway model lock {name}\n"
        f"  3. model.py: train, training_data, evaluation_data; then slipway model build {shown(folder)}"
    )


@model.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--upgrade", is_flag=True, help="Take the newest versions that fit.")
def lock(names: tuple[str, ...], upgrade: bool) -> None:
    """Lock requirements.in of the models NAME, with what the pipeline needs; of the pipeline without a NAME."""
    from cli.locks import lock_model, lock_pipeline

    for name in names:
        click.echo(lock_model(name, upgrade))
    if not names:
        click.echo(lock_pipeline(upgrade))


def _identity(found: "Model") -> dict[str, Any]:
    return {"name": found.name, "ref": found.ref, "inputsKey": found.inputs_key, "digest": found.digest}


def _result(built: "Model", report: dict[str, Any]) -> dict[str, Any]:
    variant = report["choice"]["variant"]
    figure = next(each["metric"] for each in report["variants"] if each["name"] == variant)
    return _identity(built) | {
        "path": str(built.path),
        "uri": built.store.uri,
        "variant": variant,
        "metric": {"name": report["metric"]["name"], "value": figure},
        "built": built.built,
    }


def _print_table(built: "Model", report: dict[str, Any], to_stderr: bool) -> None:
    from rich.table import Table

    from service.pipeline.render import headings, rows

    console = _console(to_stderr)
    chosen = report["choice"]["variant"]
    how = "" if built.built else " (unchanged)"
    table = Table(title=f"{built.name}{how}: {report['samples']} held-out samples", title_justify="left")
    for at, heading in enumerate(headings(report)):
        table.add_column(heading, justify="right" if 0 < at < 8 else "left")
    for row in rows(report):
        served = row[0] == chosen
        table.add_row(*row[:-1], "chosen" if served else row[-1], style="bold green" if served else None)
    console.print(table)
    console.print(f"{built.name}: serving {chosen}: {report['choice']['reason']}", soft_wrap=True)
    console.print(f"{built.digest}  {Path(str(built.path))}", soft_wrap=True, style="dim")


def _console(to_stderr: bool = False) -> "Console":
    from rich.console import Console

    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        console.width = 160  # a log: wrapped at 80 the table can't be read
    return console
