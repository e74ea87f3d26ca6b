"""Which service a command asks, and with which key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from slipway.cli.stack import STACK, config_of
from slipway.infra.local_key import key_file, whole_key
from slipway.ops.state.outputs import outputs
from slipway.pipeline.errors import PipelineError

URL = click.option("--url", help="A service by its address, whatever runs it; instead of --stack.")
KEY_FILE = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The API key, alone or as a header line; else $SLIPWAY_KEY.",
)
SERVICE = click.option("--service", "-s", help="The service's name in the stack, where it has several.")


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which service is asked: service, stack, url, key_file."""
    return SERVICE(STACK(URL(KEY_FILE(command))))


def services(service: str | None, stack: str, url: str | None, inside: bool = False) -> dict[str, str]:
    """Addresses by name that lead there from this machine until the command ends: the one at `url`, else the stack's,
    all of them where none is named. `inside`: of the service itself, not of the edge before it, which has less."""
    if url is not None:
        return addresses(service, stack, url)
    known = outputs(stack)
    found = _exported(service, stack, known)
    return {name: _reached(name, each, stack, inside, known) for name, each in found.items()}


def _reached(name: str, url: str, stack: str, inside: bool, known: Mapping[str, Any]) -> str:
    from slipway.infra.platforms.table import row_of
    from slipway.ops.reach import forwarded, is_inside, kubectl_of

    config = config_of(stack)
    kubectl = row_of(config).kubectl
    if kubectl is None or not (inside or is_inside(url)):
        return url
    context = click.get_current_context()
    try:
        command = context.with_resource(kubectl_of(stack, config, kubectl, known))
        return context.with_resource(forwarded(command, name))
    except PipelineError as error:
        click.echo(f"{name}: {error}; asked at {url} instead", err=True)
        return url


def addresses(service: str | None, stack: str, url: str | None) -> dict[str, str]:
    """Addresses by name as the stack exports them: the one at `url`, else the stack's, all where none is named."""
    if url is not None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise click.ClickException(f"--url {url}: not an address such as https://digits.example.org")
        return {service or url: url.rstrip("/")}
    return _exported(service, stack, outputs(stack))


def _exported(service: str | None, stack: str, known: Mapping[str, Any]) -> dict[str, str]:
    found = {name: each["url"] for name, each in known.get("services", {}).items()}
    if service is not None and service not in found:
        raise click.ClickException(f"{service}: stack {stack} has {', '.join(found) or 'no services'}")
    return found if service is None else {service: found[service]}


def one(service: str | None, stack: str, url: str | None, file: Path | None) -> tuple[str, str]:
    """The address and the key of the one service that is meant."""
    found = addresses(service, stack, url)
    if len(found) != 1:
        raise click.ClickException(f"stack {stack} has {', '.join(found) or 'no services'}: name one with --service")
    (address,) = services(next(iter(found)), stack, url).values()
    return address, key(file, stack if url is None else None)


def key(file: Path | None, stack: str | None) -> str:
    """From the file, $SLIPWAY_KEY, or this machine's own for a stack that takes it; empty where there is none."""
    if file is None and (found := os.environ.get("SLIPWAY_KEY")):
        return found
    if file is None and stack is not None and config_of(stack).makes_own_key and key_file().exists():
        file = key_file()
        if whole_key(file) is None:
            raise click.ClickException(f"{file} holds no whole key: make up makes a new one")
    return file.read_text().strip().rpartition(" ")[2] if file else ""
