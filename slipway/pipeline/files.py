"""Samples from files: npz by the names of its arrays, csv and parquet by their columns."""

from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.separated import dialect

SUFFIXES = (".npz", ".csv", ".parquet")


def described(file: Path) -> str:
    """The file as messages name it, with what was found of how a csv is written where that is not the usual."""
    found = dialect(file).found if file.suffix == ".csv" and file.is_file() else ""
    return f"{shown(file)} ({found})" if found else shown(file)


def read_samples(file: Path, label: str) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Arrays by name, and the labels: the array or column `label`, None where there is none.

    Raises BadInput for a file that can't be read.
    """
    if file.suffix not in SUFFIXES:
        raise BadInput(f"{shown(file)}: data files end in {', '.join(SUFFIXES)}")
    if not file.is_file():
        raise BadInput(f"{shown(file)} is missing")
    try:
        arrays = _npz(file) if file.suffix == ".npz" else _table(file)
    except ImportError as error:
        raise BadInput(
            f"{shown(file)}: reading it takes the package {error.name}; add it to requirements.in"
        ) from error
    except BadInput:
        raise
    except Exception as error:  # zipfile, numpy and arrow each have their own
        raise BadInput(f"{described(file)} can't be read: {' '.join(str(error).split())[:200]}") from error
    labels = arrays.pop(label, None)
    return arrays, labels


def _npz(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _table(file: Path) -> dict[str, Any]:
    """Columns by name; an empty cell of numbers is NaN."""
    if file.suffix == ".csv":
        from pyarrow import csv

        written = dialect(file)
        table = csv.read_csv(
            file,
            csv.ReadOptions(encoding="utf-8" if written.encoding == "utf-8-sig" else written.encoding),
            csv.ParseOptions(delimiter=written.separator),
            csv.ConvertOptions(decimal_point=written.decimal),
        )
    else:
        from pyarrow import parquet

        table = parquet.read_table(file)
    return {name: table.column(name).to_numpy() for name in table.column_names}
