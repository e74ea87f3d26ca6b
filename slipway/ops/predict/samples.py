"""Samples from files, a batch at a time: csv, json, jsonl, npy, npz and images."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from slipway.pipeline.data import placed
from slipway.pipeline.errors import BadInput
from slipway.pipeline.separated import dialect

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
Specs = list[dict[str, Any]]


@dataclass(frozen=True)
class Batch:
    """`count` samples by input, from row `start` on. `done`: the share of the files that is read with them."""

    start: int
    count: int
    inputs: dict[str, Any]
    done: float
    names: Sequence[str] = ()


def batches(files: Sequence[Path], specs: Specs, columns: Sequence[str], size: int, start: int = 0) -> Iterator[Batch]:
    """The samples of all files from row `start` on, `size` at a time. Raises BadInput naming file, row and column.

    Nothing but the batch is held, so that files may be larger than memory; json, npz and images are read as they are
    needed, one file at a time.
    """
    images = [file for each in files for file in _images(each)]
    if images:
        yield from _of_images(images, specs, size, start)
        return
    at = 0
    for number, file in enumerate(files):
        reader = _READERS.get(file.suffix.lower())
        if reader is None:
            raise BadInput(f"{file}: expected one of {', '.join((*_READERS, *IMAGES))}")
        for count, inputs, share in _read(file, reader(file, specs, columns, size, max(0, start - at))):
            skipped = count - len(next(iter(inputs.values()))) if inputs else count
            at += skipped
            if inputs:
                yield Batch(at, count - skipped, inputs, (number + share) / len(files))
                at += count - skipped


# What readers yield: how many samples they went over, of which the last are in the inputs; and the share of the file.
_Part = tuple[int, dict[str, Any], float]


def _read(file: Path, parts: Iterator[_Part]) -> Iterator[_Part]:
    """The same, where what libraries raise for a file that is not what its name says becomes BadInput."""
    try:
        yield from parts
    except (OSError, EOFError, RecursionError, TypeError, ValueError, csv.Error, BadZipFile) as error:
        raise BadInput(f"{file} can't be read as {file.suffix}: {error}") from None


def _csv(file: Path, specs: Specs, columns: Sequence[str], size: int, skip: int) -> Iterator[_Part]:
    total, written = file.stat().st_size or 1, dialect(file)
    with file.open("rb") as raw, io.TextIOWrapper(raw, written.encoding, newline="") as text:
        reader = csv.reader(text, delimiter=written.separator)
        header = next(reader, None)
        if not header:
            raise BadInput(f"{file}: no header line")
        take = _columns(file, header, specs, columns)
        skipped = sum(1 for _ in islice(reader, skip))
        if skipped:
            yield skipped, {}, raw.tell() / total
        first = skipped
        while rows := list(islice(reader, size)):
            for number, row in enumerate(rows):
                if len(row) != len(header):
                    raise BadInput(f"{file}: row {first + number} has {len(row)} columns, the header {len(header)}")
            yield (
                len(rows),
                {name: _cells(file, rows, at, spec, first, written.decimal) for name, (at, spec) in take.items()},
                (raw.tell() / total),
            )
            first += len(rows)


def _columns(
    file: Path, header: list[str], specs: Specs, chosen: Sequence[str]
) -> dict[str, tuple[list[int], dict[str, Any]]]:
    """For each input the numbers of its columns: by its name, or all side by side where the model has one input, in
    the order of the names that it knows."""
    if missing := [name for name in chosen if name not in header]:
        raise BadInput(f"{file}: no column {', '.join(missing)}; it has {', '.join(header)[:500]}")
    if not chosen and all(spec["name"] in header for spec in specs):
        return {spec["name"]: ([header.index(spec["name"])], spec) for spec in specs}
    names, (spec, *more) = list(chosen) or header, specs
    if spec.get("columns"):
        hint = "" if chosen else " (--columns picks some)"
        names = [names[at] for at in placed(names, spec["columns"], f"{file}{hint}")]
    size = spec["shape"][1] if len(spec["shape"]) == 2 else 1
    if more or len(spec["shape"]) > 2 or size not in (None, len(names)):
        wanted = ", ".join(f"{each['name']} of {'x'.join(map(str, each['shape'][1:])) or '1'}" for each in specs)
        raise BadInput(
            f"{file}: {len(names)} columns, the model takes {wanted}: name the columns with --columns a,b,..."
        )
    return {spec["name"]: ([header.index(name) for name in names], spec)}


def _cells(
    file: Path, rows: list[list[str]], at: list[int], spec: dict[str, Any], first: int, decimal: str
) -> np.ndarray:
    flat = len(spec["shape"]) == 1
    if spec["dtype"] == "string":
        array = np.array([[row[index] for index in at] for row in rows], object)
        return array[:, 0] if flat else array
    if decimal != ".":
        rows = [[cell.replace(decimal, ".") for cell in row] for row in rows]
    try:
        values = [[float(row[index] or "nan") for index in at] for row in rows]
    except ValueError:
        number, index = next((n, i) for n, row in enumerate(rows) for i in at if not _is_number(row[i]))
        raise BadInput(
            f"{file}: row {first + number}, column {index + 1}: {rows[number][index]!r} is no number"
        ) from None
    array = np.array(values, np.float64)
    if not spec["dtype"].startswith("float"):
        if not np.array_equal(array, np.rint(array)):
            raise BadInput(
                f"{file}: {spec['name']} takes whole numbers, rows {first} to {first + len(rows)} have others"
            )
        array = array.astype(np.int64)
    return (array[:, 0] if flat else array).astype(np.dtype(spec["dtype"]))


def _is_number(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


def _jsonl(file: Path, specs: Specs, _columns: Sequence[str], size: int, skip: int) -> Iterator[_Part]:
    total = file.stat().st_size or 1
    with file.open("rb") as raw:
        lines = (line for line in raw if line.strip())
        skipped = sum(1 for _ in islice(lines, skip))
        if skipped:
            yield skipped, {}, raw.tell() / total
        first = skipped
        while part := list(islice(lines, size)):
            rows = [_sample(f"{file}: line {first + number}", line, specs) for number, line in enumerate(part)]
            yield len(rows), _stacked(rows, specs), raw.tell() / total
            first += len(part)


def _sample(where: str, text: bytes, specs: Specs) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise BadInput(f"{where} is not JSON: {error}") from None
    value = value.get("inputs", value) if isinstance(value, dict) else {specs[0]["name"]: value}
    if set(value) != {spec["name"] for spec in specs}:
        raise BadInput(
            f"{where}: the model takes {', '.join(spec['name'] for spec in specs)}; found {', '.join(value)}"
        )
    return dict(value)


def _stacked(rows: list[dict[str, Any]], specs: Specs) -> dict[str, Any]:
    return {spec["name"]: [row[spec["name"]] for row in rows] for spec in specs}


def _json(file: Path, specs: Specs, _columns: Sequence[str], size: int, skip: int) -> Iterator[_Part]:
    value = _sample(str(file), file.read_bytes(), specs)
    spec = specs[0]
    dtype = object if spec["dtype"] == "string" else None
    single = np.ndim(np.array(value[spec["name"]], dtype)) == len(spec["shape"]) - 1
    yield from _cut({name: [each] if single else each for name, each in value.items()}, size, skip)


def _npy(file: Path, specs: Specs, _columns: Sequence[str], size: int, skip: int) -> Iterator[_Part]:
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    yield from _cut({specs[0]["name"]: array[None] if array.ndim == len(specs[0]["shape"]) - 1 else array}, size, skip)


def _npz(file: Path, specs: Specs, _columns: Sequence[str], size: int, skip: int) -> Iterator[_Part]:
    with np.load(file, allow_pickle=False) as stored:
        missing = [spec["name"] for spec in specs if spec["name"] not in stored]
        if missing:
            raise BadInput(f"{file}: no array {', '.join(missing)}; it has {', '.join(stored.files)}")
        yield from _cut({spec["name"]: stored[spec["name"]] for spec in specs}, size, skip)


def _cut(inputs: dict[str, Any], size: int, skip: int) -> Iterator[_Part]:
    total = len(next(iter(inputs.values())))
    if skip := min(skip, total):
        yield skip, {}, skip / total
    for at in range(skip, total, size):
        part = {name: values[at : at + size] for name, values in inputs.items()}
        yield min(size, total - at), part, min(1.0, (at + size) / total)


_READERS = {".csv": _csv, ".jsonl": _jsonl, ".json": _json, ".npy": _npy, ".npz": _npz}


def _images(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGES)
    return [path] if path.suffix.lower() in IMAGES else []


def _of_images(files: list[Path], specs: Specs, size: int, start: int) -> Iterator[Batch]:
    if len(specs) != 1 or len(specs[0]["shape"]) not in (3, 4):
        raise BadInput("the model takes no images: one input of height, width and perhaps channels is expected")
    for at in range(start, len(files), size):
        part = files[at : at + size]
        pictures = [image(file, specs[0]) for file in part]
        if len({each.shape for each in pictures}) > 1:
            raise BadInput(f"{part[0]} and those after it have different sizes, as the model allows: name --batch 1")
        yield Batch(
            at,
            len(part),
            {specs[0]["name"]: np.stack(pictures)},
            (at + len(part)) / len(files),
            [str(file) for file in part],
        )


def image(file: Path, spec: dict[str, Any]) -> np.ndarray:
    """An image in the size, channels and range of a model's input; channels first or last, as the shape says."""
    from PIL import Image, UnidentifiedImageError

    shape = spec["shape"][1:]
    first = len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3)
    height, width = shape[1:] if first else shape[:2]
    channels = (shape[0] if first else shape[2]) if len(shape) == 3 else None
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGB" if channels == 3 else "L")
            if height and width and picture.size != (width, height):
                picture = picture.resize((width, height), Image.Resampling.BILINEAR)
            values: np.ndarray = np.asarray(picture, np.float32)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise BadInput(f"{file} is no image that can be read: {error}") from None
    low, high = spec["minimum"] or 0.0, 255.0 if spec["maximum"] is None else spec["maximum"]
    values = low + values / 255 * (high - low)
    if channels and values.ndim == 2:
        values = values[..., None]
    values = values.transpose(2, 0, 1) if first else values
    return values.astype(np.dtype(spec["dtype"]))
