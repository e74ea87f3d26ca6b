"""`slipway stack`: what `make` does around the engine, for the stack that a `Pulumi.<stack>.yaml` describes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from slipway.infra.local_key import key_file
from slipway.infra.platforms.table import row_of
from slipway.ops.state.outputs import keep_data, outputs

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

# How `slipway model build` ends where the model itself is why: built, broken, refused.
WITHOUT_IT = (0, 1, 2, 3)
STACK = click.option("--stack", default="dev", show_default=True, help="Stack, as in Pulumi.<stack>.yaml.")


@click.group()
def stack() -> None:
    """Build, show and sweep a whole stack."""


@stack.command()
@STACK
def build(stack: str) -> None:
    """Build and judge every model of the stack, before the engine starts.

    A model that is refused or broken does not keep the others from being built; all such are named at the end.
    """
    from slipway.infra.protection import PRODUCTION, RELEASED

    config, before = config_of(stack), outputs(stack, missing_ok=True)
    if before and config.environment == PRODUCTION and before.get("environment") not in (PRODUCTION, RELEASED):
        keep_data(stack)
    services, served = config.services, before.get("services", {})
    failed: dict[str, int] = {}
    for name, service in services.items():
        options = ["--in-stack"]
        options += ["--variant", service.variant] if service.variant else []
        serving = served.get(name, {}).get("artifactUri")
        if serving and _artifact(serving):
            options += ["--serving", serving]
        elif serving:  # refusing would keep what is gone from coming back: it can't be started again either
            click.echo(f"{name}: not compared with what serves now, which its store lacks: {serving}", err=True)
        options += ["--accept-worse"] if service.acceptWorse else []
        built = subprocess.run([sys.executable, "-m", "slipway.cli", "model", "build", service.model, *options])
        if built.returncode not in WITHOUT_IT:
            sys.exit(built.returncode)
        if built.returncode:
            failed[name] = built.returncode
    if failed:
        for line in _on_without(stack, failed, services, served):
            click.echo(line, err=True)
        sys.exit(max(failed.values()))


@stack.command()
@STACK
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def keep(stack: str, names: tuple[str, ...]) -> None:
    """Print $SLIPWAY_KEEP for an update of the services NAME alone: the others keep what they serve, and those that
    serve nothing yet are left out. `make up SERVICES="..."` does it."""
    from slipway.pipeline.errors import BadInput

    services = config_of(stack).services
    if unknown := [each for each in names if each not in services]:
        raise BadInput(f"Pulumi.{stack}.yaml has no service {unknown[0]}; it has {', '.join(services)}")
    served = outputs(stack, missing_ok=True).get("services", {})
    kept = {name: served.get(name, {}).get("artifactUri") for name in services if name not in names}
    for name, uri in kept.items():
        if uri and not _artifact(uri):
            raise BadInput(f"{name} can't keep what it serves, which its store lacks: {uri}. Name {name} as well")
    click.echo(json.dumps(kept))


@stack.command()
@STACK
def show(stack: str) -> None:
    """Where each service answers, with a curl line that works as printed."""
    key = f"@{key_file()}" if config_of(stack).makes_own_key else "'authorization: Bearer <your key>'"
    for name, service in outputs(stack).get("services", {}).items():
        model, metric = service["model"], service["model"]["metric"]
        page = f"  the page: {service['url']}/ui\n" if urlsplit(service["url"]).hostname == "127.0.0.1" else ""
        example = f"{_artifact(service['artifactUri'])}/example.json"
        within = f"  from {service['callers']}\n" if "pods" in service.get("callers", "") else ""
        click.echo(
            f"\n{name}  {service['url']}\n{within}"
            f"  {model['variant']} of {model['digest'][:19]}, {metric['name']} {metric['value']:.4g}\n"
            f"{page}"
            f"  curl -s {service['url']}/predict -H {key} -H 'content-type: application/json' -d @{example}"
        )


@stack.command()
@STACK
def removable(stack: str) -> None:
    """Refuse where anything of the stack is protected, as all of production is until `slipway release`."""
    from slipway.ops.state.release import refuse_held

    refuse_held(stack)


@stack.command()
@STACK
def identity(stack: str) -> None:
    """Print the identity that the stack's state holds; nothing where it holds none."""
    from slipway.ops.state.owner import recorded_identity

    click.echo(recorded_identity(stack))


@stack.command()
@STACK
@click.option("--identity", help="What is the stack's; by default what its state says, which goes with it.")
def sweep(stack: str, identity: str | None) -> None:
    """Look for whatever a stack that was taken down may have left; remove it; fail if anything stays."""
    from slipway.ops.state.owner import recorded_identity
    from slipway.ops.state.pulumi import NoStack
    from slipway.ops.state.release import refuse_held
    from slipway.ops.sweep import sweep_stack

    config = config_of(stack)
    with contextlib.suppress(NoStack):  # as it is after `make down`
        refuse_held(stack)
        if identity is None and row_of(config).has_identity:
            identity = recorded_identity(stack)
    looked, left = sweep_stack(stack, identity or "", config)
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
@click.option("--adopt", default="", metavar="ID", help="The state was lost: find all that carries this identity.")
def recover(stack: str, backup: bool, adopt: str) -> None:
    """Put the stack in order after an update that was killed or failed half-way; says what it found and did. Refuses
    where the stack's bucket or namespace is another's, and says whose."""
    from slipway.ops.state.recover import recover_stack

    for line in recover_stack(stack, backup, adopt):
        click.echo(line, err=True)


def config_of(stack: str) -> StackConfig:
    """The configuration in the stack's file, or its errors as one message."""
    from slipway.infra.config.base import ConfigError
    from slipway.infra.config.stack import StackConfig

    try:
        return StackConfig.from_file(stack)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def _on_without(
    stack: str, failed: dict[str, int], services: Mapping[str, Any], served: Mapping[str, Any]
) -> Iterator[str]:
    """Which services can't go on as they are, what each of them serves, and how the others do."""
    for name in failed:
        state = "keeps what it serves" if name in served else "serves nothing yet"
        yield f"{name}: its model {services[name].model} was not taken, for the reason above; {state}"
    if rest := " ".join(name for name in services if name not in failed):
        yield f'To go on with the rest: make up STACK={stack} SERVICES="{rest}"'


def _artifact(uri: str) -> Path | None:
    """The folder of `<uri of a store>@sha256:<digest>`; None where it lacks it. Exits where it can't be asked."""
    command = [sys.executable, "-m", "slipway.cli", "model", "describe", uri, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:  # it has said why
        sys.exit(done.returncode)
    path = json.loads(done.stdout)["path"]
    return Path(path) if path else None
