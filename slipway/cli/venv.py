"""`slipway venv`."""

from __future__ import annotations

from pathlib import Path

import click

from slipway.infra.home import home
from slipway.ops.models.virtualenvs import environment


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def venv(files: tuple[Path, ...]) -> None:
    """Make the virtualenv of locked requirements FILES, once, and print the path of its python."""
    click.echo(environment(list(files), home() / "envs"))
