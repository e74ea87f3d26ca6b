"""`slipway stack`: what `make` does around the engine, for the stack that a `Pulumi.<stack>.yaml` describes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

STACK = click.option("--stack", default="dev", show_default=True, help="Stack, as in Pulumi.<stack>.yaml.")


@click.group()
def stack() -> None:
    """Build, show and sweep a whole stack."""


@stack.command()
@STACK
def build(stack: str) -> None:
    """Build and judge every model of the stack, before the engine starts."""
    from infra.config import ConfigError, StackConfig

    try:
        services = StackConfig.from_file(stack).services
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    for service in services.values():
        pin = ["--variant", service.variant] if service.variant else []
        built = subprocess.run([sys.executable, "-m", "cli", "model", "build", service.model, *pin])
        if built.returncode:
            sys.exit(built.returncode)


@stack.command()
@STACK
def show(stack: str) -> None:
    """Where each service answers, with a curl line that works as printed."""
    for name, service in _outputs(stack).get("services", {}).items():
        model, metric = service["model"], service["model"]["metric"]
        example = _artifact(service["artifactUri"]) / "example.json"
        click.echo(
            f"\n{name}  {service['url']}\n"
            f"  {model['variant']} of {model['digest'][:19]}, {metric['name']} {metric['value']:.4g}\n"
            f"  curl -s {service['url']}/predict -H 'content-type: application/json' -d @{example}"
        )


@stack.command()
@STACK
def sweep(stack: str) -> None:
    """Look for whatever a stack that was taken down may have left; remove it; fail if anything stays."""
    from cli.sweep import sweep_stack

    looked, left = sweep_stack(stack)
    click.echo("Looked at:")
    for line in looked:
        click.echo(f"  {line}")
    if left:
        sys.exit("Left behind, and not to be removed:\n" + "\n".join(f"  {line}" for line in left))
    click.echo("Nothing is left but caches.")


@click.command()
def recover() -> None:
    """Clear the locks that a killed update has left; a living one's is left alone."""
    from cli.recover import stale_locks

    for lock in stale_locks(os.environ.get("PULUMI_BACKEND_URL", "")):
        lock.unlink(missing_ok=True)
        click.echo(f"Removed the lock of an update that was killed: {lock.name}", err=True)


def _outputs(stack: str) -> dict[str, Any]:
    answer = subprocess.run(
        ["pulumi", "stack", "output", "--json", "--stack", stack], stdout=subprocess.PIPE, text=True
    )
    if answer.returncode:
        sys.exit(answer.returncode)
    outputs: dict[str, Any] = json.loads(answer.stdout)
    return outputs


def _artifact(uri: str) -> Path:
    """The folder of `file://<store>@sha256:<digest>`."""
    described = subprocess.run(
        [sys.executable, "-m", "cli", "model", "describe", uri, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Path(json.loads(described.stdout)["path"])
