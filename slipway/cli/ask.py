"""`slipway predict`, `explain`, `feedback`: ask a running service."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli.addresses import asking, one
from slipway.pipeline.errors import PipelineError

if TYPE_CHECKING:
    from slipway.service.client import AsyncClient

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
COLUMNS = click.option("--columns", default="", help="Columns of a csv that the model takes, with commas; else all.")


@click.command()
@FILES
@asking
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A .csv or .jsonl to write.")
@COLUMNS
@click.option("--batch", type=click.IntRange(1), help="Samples in a request; else what the service's limits allow.")
@click.option("--concurrency", type=click.IntRange(1, 256), default=8, show_default=True, help="Requests at a time.")
@click.option("--keep-going", is_flag=True, help="Write a refused row's reason into the output and go on.")
@click.option("--restart", is_flag=True, help="Begin anew instead of going on where a run was stopped.")
def predict(
    files: tuple[Path, ...],
    service: str | None,
    stack: str,
    url: str | None,
    key_file: Path | None,
    output: Path | None,
    columns: str,
    batch: int | None,
    concurrency: int,
    keep_going: bool,
    restart: bool,
) -> None:
    """Predict what is in FILES: csv, json, jsonl, npy, npz, images or folders of them.

    With --output a run that was stopped, by kill -9 even, goes on where it was when it is started again; every row is
    there once, in order. Without it answers go to standard output, a line of JSON each.
    """
    from slipway.ops.predict.batch import Job, run

    if output and output.suffix not in (".csv", ".jsonl"):
        raise click.UsageError(f"--output {output}: expected a .csv or a .jsonl")
    job = Job(
        files=files,
        output=output,
        columns=tuple(name for name in columns.split(",") if name),
        size=batch,
        concurrency=concurrency,
        keep_going=keep_going,
        restart=restart,
    )
    with_client(one(service, stack, url, key_file), lambda client: run(client, job))


@click.command()
@FILES
@asking
@COLUMNS
@click.option("--row", type=click.IntRange(0), default=0, show_default=True, help="Which of the rows.")
@click.option("--target", help="The class whose probability is explained; else the likeliest.")
@click.option("--method", type=click.Choice(["shapley", "occlusion"]), default="shapley", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")
def explain(
    files: tuple[Path, ...],
    service: str | None,
    stack: str,
    url: str | None,
    key_file: Path | None,
    columns: str,
    row: int,
    target: str | None,
    method: str,
    as_json: bool,
) -> None:
    """Say which values of one sample its answer comes from."""
    from slipway.cli.attributions import show
    from slipway.ops.predict.samples import batches

    async def ask(client: AsyncClient) -> None:
        specs = (await client.about())["model"]["inputs"]
        names = tuple(name for name in columns.split(",") if name)
        found = next(batches(files, specs, names, 1, row), None)
        if found is None:
            raise PipelineError(f"there is no row {row}")
        told = await client.explain(found.inputs, target=target, method=method)
        if as_json:
            plain = {**vars(told), "attributions": {name: each.tolist() for name, each in told.attributions.items()}}
            click.echo(json.dumps(plain))
        else:
            show(told, names)

    with_client(one(service, stack, url, key_file), ask)


@click.command()
@click.argument("token")
@click.argument("labels", nargs=-1)
@asking
@click.option("--delete", is_flag=True, help="Take back what was said of it, as a person may ask: docs/privacy.md.")
def feedback(
    token: str,
    labels: tuple[str, ...],
    service: str | None,
    stack: str,
    url: str | None,
    key_file: Path | None,
    delete: bool,
) -> None:
    """Tell what was true of a prediction: its TOKEN, and a label for each of its samples, - where it is not known."""
    if delete == bool(labels):
        raise click.UsageError("give LABELS, or --delete alone")

    async def send(client: AsyncClient) -> None:
        if delete:
            told = await client.delete_feedback(token)
            click.echo(f"deleted {told['deleted']}")
            return
        numbers = (await client.about())["model"]["task"] == "regression"
        try:
            truths = [None if each == "-" else float(each) if numbers else each for each in labels]
        except ValueError as error:
            raise click.UsageError(f"labels: {error}") from None
        told = await client.feedback(token, truths)
        click.echo(", ".join(f"{name} {value}" for name, value in told.items()))

    with_client(one(service, stack, url, key_file), send)


def with_client(address: tuple[str, str], work: Callable[[AsyncClient], Awaitable[None]]) -> None:
    from slipway.service.client import AsyncClient, DeadlineExceeded, SlipwayError, Unreachable

    async def run() -> None:
        async with AsyncClient(address[0], address[1] or None, connections=256) as client:
            await work(client)

    try:
        asyncio.run(run())
    except (Unreachable, DeadlineExceeded) as error:
        raise PipelineError(f"{address[0]} does not answer: {error}") from None
    except SlipwayError as error:
        raise PipelineError(f"{address[0]}: {error}") from None
    except BrokenPipeError:
        sys.exit(1)
