"""`slipway stack`: what `make` does around the engine, for the stack that a `Pulumi.<stack>.yaml` describes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from slipway.infra.local_key import key_file
from slipway.ops.state.outputs import keep_data, outputs

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

STACK = click.option("--stack", default="dev", show_default=True, help="Stack, as in Pulumi.<stack>.yaml.")


@click.group()
def stack() -> None:
    """Build, show and sweep a whole stack."""


@stack.command()
@STACK
def build(stack: str) -> None:
    """Build and judge every model of the stack, before the engine starts."""
    config, before = config_of(stack), outputs(stack, missing_ok=True)
    if before and config.environment == "production" != before.get("environment"):
        keep_data(stack)
    services, served = config.services, before.get("services", {})
    for name, service in services.items():
        options = ["--variant", service.variant] if service.variant else []
        serving = served.get(name, {}).get("artifactUri")
        if serving and _artifact(serving):
            options += ["--serving", serving]
        elif serving:  # refusing would keep what is gone from coming back: it can't be started again either
            click.echo(f"{name}: not compared with what serves now, which its store lacks: {serving}", err=True)
        options += ["--accept-worse"] if service.acceptWorse else []
        built = subprocess.run([sys.executable, "-m", "slipway.cli", "model", "build", service.model, *options])
        if built.returncode:
            sys.exit(built.returncode)


@stack.command()
@STACK
def show(stack: str) -> None:
    """Where each service answers, with a curl line that works as printed."""
    key = f"@{key_file()}" if config_of(stack).makes_own_key else "'authorization: Bearer <your key>'"
    for name, service in outputs(stack).get("services", {}).items():
        model, metric = service["model"], service["model"]["metric"]
        page = f"  the page: {service['url']}/ui\n" if urlsplit(service["url"]).hostname == "127.0.0.1" else ""
        example = f"{_artifact(service['artifactUri'])}/example.json"
        click.echo(
            f"\n{name}  {service['url']}\n"
            f"  {model['variant']} of {model['digest'][:19]}, {metric['name']} {metric['value']:.4g}\n"
            f"{page}"
            f"  curl -s {service['url']}/predict -H {key} -H 'content-type: application/json' -d @{example}"
        )


@stack.command()
@STACK
def sweep(stack: str) -> None:
    """Look for whatever a stack that was taken down may have left; remove it; fail if anything stays."""
    from slipway.ops.sweep import sweep_stack

    looked, left = sweep_stack(stack, config_of(stack))
    click.echo("Looked at:")
    for line in looked:
        click.echo(f"  {line}")
    if left:
        sys.exit("Left behind, and not to be removed:\n" + "\n".join(f"  {line}" for line in left))
    click.echo("Nothing is left but caches.")


@click.command()
@STACK
@click.option(
    "--backup", is_flag=True, help="Where the state can't be read, take the one before it; look up what it lacks."
)
def recover(stack: str, backup: bool) -> None:
    """Put the stack in order after an update that was killed or failed half-way; says what it found and did."""
    from slipway.ops.state.recover import recover_stack

    for line in recover_stack(stack, backup):
        click.echo(line, err=True)


def config_of(stack: str) -> StackConfig:
    """The configuration in the stack's file, or its errors as one message."""
    from slipway.infra.config.base import ConfigError
    from slipway.infra.config.stack import StackConfig

    try:
        return StackConfig.from_file(stack)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def _artifact(uri: str) -> Path | None:
    """The folder of `<uri of a store>@sha256:<digest>`; None where it lacks it. Exits where it can't be asked."""
    command = [sys.executable, "-m", "slipway.cli", "model", "describe", uri, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:  # it has said why
        sys.exit(done.returncode)
    path = json.loads(done.stdout)["path"]
    return Path(path) if path else None
