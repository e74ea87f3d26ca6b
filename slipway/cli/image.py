"""`slipway image`: build, describe."""

import json
from typing import Any

import click

from slipway.infra.runtime import ONNX, RUNTIMES

# The answers are JSON either way; the program asks every command for it.
JSON = click.option("--json", "as_json", is_flag=True, hidden=True)


@click.group()
def image() -> None:
    """Build the image of a service, and look whether it is there."""


@image.command()
@click.option("--artifact", help="What it serves, as <uri>@sha256:...; without it the image has no model.")
@click.option("--name", required=True, help="The image's name without a tag, as registry.example.org/team/digits.")
@click.option("--key", required=True, help="Its tag: what has it in the registry is not built again.")
@click.option("--kind", default=ONNX.kind, type=click.Choice(list(RUNTIMES)), help="Of service that it runs.")
@click.option("--accelerator", type=click.Choice(["none", "nvidia"]), default="none")
@click.option("--base", required=True, help="A Python image, by digest.")
@click.option("--python", required=True, help="The base's Python, as 3.12.")
@click.option("--arch", type=click.Choice(["amd64", "arm64", "amd64,arm64"]), default="amd64")
@click.option("--cuda", type=click.Choice(["13", "12"]), default="13", help="For NVIDIA: its major.")
@click.option("--packages", type=click.Choice(["copied", "fetched"]), default="copied")
@click.option("--cache-from", help="An image in the registry whose layers may be taken.")
@click.option("--load", is_flag=True, help="Leave it with the Docker daemon instead of a registry.")
@click.option("--host", help="That daemon, as ssh://user@machine; else docker's current one.")
@click.option("--importer", help="And bring it to nodes with this command, as: kind load docker-image {image}.")
@JSON
def build(
    load: bool, host: str | None, importer: str | None, cache_from: str | None, as_json: bool, **request: Any
) -> None:
    """Build the image of a service, push it, and answer with its name by digest, as JSON."""
    from slipway.ops.images.build import ImageRequest, imported, loaded, pushed

    wanted = ImageRequest(**request)
    if importer:
        ref, built = imported(wanted, importer)
    else:
        ref, built = loaded(wanted, host) if load else pushed(wanted, cache_from)
    click.echo(json.dumps({"ref": ref, "built": built}))


@image.command()
@click.argument("ref")
@click.option("--load", is_flag=True, help="Ask the Docker daemon instead of the registry.")
@click.option("--host", help="That daemon, as ssh://user@machine; else docker's current one.")
@JSON
def describe(ref: str, load: bool, host: str | None, as_json: bool) -> None:
    """Say whether the image REF is there, as JSON: {"found": true | false | null}; null where it can't be asked."""
    from slipway.ops.images.docker import Docker, DockerError

    docker = Docker(host)
    try:
        found = (docker.id(ref) if load else docker.digest(ref)) is not None
    except DockerError as error:
        click.echo(f"{ref} is taken to be there: {error}", err=True)
        found = None
    click.echo(json.dumps({"found": found}))
