"""`slipway comment`: what a reviewer wants to know before anything happens, as Markdown for a pull request."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from slipway.cli.stack import STACK
from slipway.infra.home import home
from slipway.ops.pull_request import built, errors_of, render
from slipway.ops.state.preview import Preview, run_preview

BLOCKED = 3


@click.command()
@STACK
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write it there instead of on standard output, and the plot of each model's variants beside it.",
)
@click.option("--plots", default="", help="Where these plots will be, for a link.")
@click.option(
    "--refused",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `slipway stack build` said when it refused a model: nothing is previewed then.",
)
@click.option("--model", "models", multiple=True, help="With --refused: whose variants to show; default: the stack's.")
def comment(stack: str, out: Path | None, plots: str, refused: Path | None, models: tuple[str, ...]) -> None:
    """Preview the stack, and write what changes, what it costs and whether it is allowed. Exits with 3 where not."""
    preview = Preview(errors=errors_of(refused.read_text())) if refused else run_preview(stack, reading=False)
    found = dict(_named(stack, models)) if refused else dict(built(preview))
    reports = {
        name: json.loads((folder / "report.json").read_bytes()) if folder else None for name, folder in found.items()
    }
    text = render(stack, preview, reports, plots)
    if out:
        out.write_text(text)
        for name, folder in found.items():
            if folder and (plot := folder / "variants.png").exists():
                shutil.copyfile(plot, out.with_name(f"{name}.png"))
    else:
        click.echo(text, nl=False)
    sys.exit(BLOCKED if preview.errors or preview.blocking else 0)


def _named(stack: str, models: tuple[str, ...]) -> Iterator[tuple[str, Path | None]]:
    from slipway.cli.stack import config_of
    from slipway.ops.models.builds import described

    for ref in models or [each.model for each in config_of(stack).services.values()]:
        found = described(ref, home())
        yield found.name, found.path
