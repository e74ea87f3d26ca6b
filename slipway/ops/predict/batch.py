"""Many samples: read, asked about a few requests at a time, written in order, gone on with after a kill."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from slipway.ops.predict.output_file import Output
from slipway.ops.predict.samples import Batch, batches
from slipway.ops.progress import report
from slipway.pipeline.errors import BadInput
from slipway.service.client import AsyncClient, BadRequest, Prediction, WrongInput

_MOST_SAMPLES = 256
_SECONDS = 300.0  # for one request with all its attempts: long enough for a service to be put right


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to predict, where to write it (None: standard output), and how. `size`: samples in a request."""

    files: tuple[Path, ...]
    output: Path | None
    columns: tuple[str, ...]
    size: int | None
    concurrency: int
    keep_going: bool
    restart: bool


async def run(client: AsyncClient, job: Job) -> None:
    """Raises BadInput for what is wrong with the files, SlipwayError where the service refuses or is gone."""
    about = await client.about()
    model = about["model"]
    size = job.size or _size(about)
    plan = {
        "files": [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in job.files],
        "columns": list(job.columns),
        "model": about["digest"],
        "format": "csv" if job.output and job.output.suffix == ".csv" else "jsonl",
    }
    with Output(job.output, plan, restart=job.restart) if job.output else nullcontext() as output, _progress() as bar:
        start = output.rows if output else 0
        task = bar.add_task("", total=1.0, rows=start)
        if start:
            report(f"going on after {start:,} rows")
        pending: deque[asyncio.Task[tuple[Batch, bytes]]] = deque()
        todo = iter(batches(job.files, model["inputs"], job.columns, size, start))
        try:
            while True:
                while len(pending) < job.concurrency and (batch := next(todo, None)):
                    pending.append(asyncio.create_task(_answered(client, batch, job, model, plan["format"])))
                if not pending:
                    break
                batch, content = await pending.popleft()
                if output:
                    output.append(content, batch.count)
                else:
                    sys.stdout.buffer.write(content)
                    sys.stdout.flush()
                bar.update(task, completed=batch.done, rows=batch.start + batch.count)
        finally:
            for each in pending:
                each.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        if output:
            output.finish()
            report(f"{output.rows:,} rows in {job.output}")


async def _answered(
    client: AsyncClient, batch: Batch, job: Job, model: dict[str, Any], form: str
) -> tuple[Batch, bytes]:
    rows = [row async for row in _rows(client, batch, job, model)]
    return batch, _csv(rows, model, batch) if form == "csv" else _jsonl(rows)


async def _rows(client: AsyncClient, batch: Batch, job: Job, model: dict[str, Any]) -> Any:
    """A row for each sample; where one is refused the batch is halved until it is alone."""
    parts = deque([(0, batch.count)])
    while parts:
        at, count = parts.popleft()
        inputs = {name: values[at : at + count] for name, values in batch.inputs.items()}
        try:
            answer = await client.predict(inputs, deadline=_SECONDS)
        except (BadRequest, WrongInput) as error:
            if count > 1 and (job.keep_going or getattr(error, "status", 0) == 413):
                parts.extendleft([(at + count // 2, count - count // 2), (at, count // 2)])
                continue
            index = batch.start + at + (getattr(error, "index", None) or 0)
            if not job.keep_going:
                raise BadInput(f"row {index}: {error} (--keep-going writes the reason into the output)") from None
            yield _named(batch, at, {"row": index, "error": str(error)})
            continue
        for number in range(count):
            row = _row(answer, number, model)
            yield _named(batch, at + number, {"row": batch.start + at + number} | row)


def _named(batch: Batch, at: int, row: dict[str, Any]) -> dict[str, Any]:
    return row | ({"file": batch.names[at]} if batch.names else {})


def _row(answer: Prediction, at: int, model: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if answer.label is not None:
        row = {"label": answer.label[at], "probability": _number(answer.probability[at])}
    outputs = {each["name"]: _plain(answer.outputs[each["name"]][at]) for each in model["outputs"]}
    return row | {"outputs": outputs} | ({"token": answer.token} if answer.token and len(answer.output) == 1 else {})


def _plain(values: Any) -> Any:
    array = np.asarray(values)
    if array.dtype == np.float32:  # in the fewest digits that read back as the same float32
        return np.array([_number(each) for each in array.ravel()], object).reshape(array.shape).tolist()
    return array.tolist()


def _number(value: Any) -> float:
    return float(str(value))


def _jsonl(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def _csv(rows: list[dict[str, Any]], model: dict[str, Any], batch: Batch) -> bytes:
    """Rows with a header before the first; outputs with several values take several columns."""
    text = io.StringIO()
    names = ["row", *(["file"] if batch.names else [])]
    names += ["label", "probability"] if model["task"] == "classification" and model["labels"] else []
    sizes = {each["name"]: int(np.prod([size or 1 for size in each["shape"][1:]])) for each in model["outputs"]}
    open_ended = any(None in each["shape"][1:] for each in model["outputs"])
    if open_ended:
        raise BadInput("the model's outputs have no fixed size: write .jsonl instead of .csv")
    flat = [(name, at) for name, size in sizes.items() for at in range(size)]
    columns = [name if sizes[name] == 1 else f"{name}[{at}]" for name, at in flat]
    writer = csv.writer(text, lineterminator="\n")
    if batch.start == 0:
        writer.writerow([*names, *columns, "error"])
    for row in rows:
        outputs = {name: list(_flat(values)) for name, values in row.get("outputs", {}).items()}
        cells = [outputs[name][at] if outputs else "" for name, at in flat]
        writer.writerow([*(row.get(name, "") for name in names), *cells, row.get("error", "")])
    return text.getvalue().encode()


def _flat(values: Any) -> Iterator[Any]:
    if isinstance(values, list):
        for each in values:
            yield from _flat(each)
    else:
        yield values


def _size(about: dict[str, Any]) -> int:
    """Samples in a request: within the service's limits, with room for the head; texts of about 500 characters."""
    each = 0
    for spec in about["model"]["inputs"]:
        width = 500 if spec["dtype"] == "string" else np.dtype(spec["dtype"]).itemsize
        each += width * int(np.prod([size or 100 for size in spec["shape"][1:]]))
    fixed = {spec["shape"][0] for spec in about["model"]["inputs"]} - {None}
    most = min(_MOST_SAMPLES, about["limits"]["samples"], max(1, int(0.9 * about["limits"]["bytes"]) // each))
    return int(fixed.pop()) if fixed else most


def _progress() -> Progress:
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rows]:,} rows"))
    console = Console(stderr=True)
    shown = console.is_terminal and "CI" not in os.environ
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not shown)
