"""Samples with their labels, checked before anything is trained or measured on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline.errors import BadInput
from slipway.service.artifact import TensorSpec

Inputs = dict[str, np.ndarray]
Columns = Mapping[str, tuple[str, ...]]  # by input the names of its columns, where they are known


@dataclass(frozen=True)
class Dataset:
    """Inputs by name, each (n, ...), and labels: int64 (n,) classes, or text (n,) until those have numbers, or float64
    (n, ...) values.

    `from_file`: its columns may go side by side into one input. `columns`: of inputs that were tables, in order.
    """

    inputs: Inputs
    labels: np.ndarray
    where: str
    from_file: bool = False
    columns: Columns = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


def checked(inputs: Any, labels: Any, *, task: str, where: str, missing: bool = False) -> Dataset:
    """A dataset whose counts agree and whose numbers are finite, but for inputs where NaN says `missing`.

    An embedding needs no labels: without them they are (n, 0). Raises BadInput naming the input and sample.
    """
    if not isinstance(inputs, dict) or not inputs:
        given = "none" if isinstance(inputs, dict) else type(inputs).__name__
        raise BadInput(f'{where} must return inputs by name such as {{"image": array}}; got {given}')
    arrays = {str(name): _array(value, f"{where}: input {name}", missing) for name, value in inputs.items()}
    count = next((len(each) for each in arrays.values() if each.ndim), 0)
    unlabelled = labels is None and task == "embedding"
    answers = np.empty((count, 0)) if unlabelled else _labels(labels, task, where)
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) != len(answers):
            held = "no samples" if array.ndim == 0 else f"{len(array)} samples"
            raise BadInput(f"{where}: input {name} has {held}, labels has {len(answers)}; they must be equal")
    if len(answers) == 0:
        raise BadInput(f"{where} returned no samples")
    for name, array in arrays.items():
        if not array.size:
            raise BadInput(f"{where}: input {name} has samples of shape {list(array.shape[1:])}, which hold nothing")
    columns = {
        str(name): tuple(map(str, value.columns))
        for name, value in inputs.items()
        if hasattr(value, "columns") and arrays[str(name)].ndim == 2
    }
    return Dataset(arrays, answers, where, columns=columns)


def fitted(data: Dataset, specs: tuple[TensorSpec, ...], columns: Columns | None = None) -> Dataset:
    """The dataset in the dtypes of the model's inputs, its columns in the model's order where `columns` tells that.

    Raises BadInput where names, dtypes or shapes do not fit, and for columns that are missing or that the model lacks.
    """
    data = _ordered(_joined(data, specs, columns or {}), columns or {})
    names = {spec.name for spec in specs}
    if names != set(data.inputs):
        raise BadInput(f"{data.where} gives the inputs {_listed(data.inputs)}; the model takes {_listed(names)}")
    return replace(data, inputs={spec.name: _fit(data, spec) for spec in specs})


def write_inputs(file: Path, inputs: Inputs) -> None:
    """As an npz file, whatever the inputs are called. Raises OSError."""
    plain = (array.astype(str) if array.dtype == object else array for array in inputs.values())
    np.savez(file, *plain, names=np.array(list(inputs)))


def read_inputs(file: Path) -> Inputs:
    """What `write_inputs` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        found = {str(name): arrays[f"arr_{at}"] for at, name in enumerate(arrays["names"])}
    return {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in found.items()}


def placed(given: Sequence[str], wanted: Sequence[str], where: str) -> list[int]:
    """Where in `given` each of the wanted columns is. Raises BadInput unless these are the same names."""
    missing, more = ([each for each in one if each not in other] for one, other in ((wanted, given), (given, wanted)))
    if missing or more:
        wrong = [f"lacks the columns {', '.join(missing)}"] if missing else []
        wrong += [f"has the columns {', '.join(more)}, which the model does not take"] if more else []
        raise BadInput(f"{where} {' and '.join(wrong)}; the model takes {', '.join(wanted)}")
    return [given.index(each) for each in wanted]


def _joined(data: Dataset, specs: tuple[TensorSpec, ...], columns: Columns) -> Dataset:
    """Columns (n,) by name as (n, 1) where the model says so; those of a file side by side where it has one input."""
    wanted, inputs = {spec.name: spec for spec in specs}, data.inputs
    if wanted.keys() == inputs.keys():
        flat = {name for name, array in inputs.items() if array.ndim == 1 and len(wanted[name].shape) == 2}
        return replace(data, inputs={name: each[:, None] if name in flat else each for name, each in inputs.items()})
    if not data.from_file or len(specs) != 1:
        return data
    (spec,), names = specs, list(inputs)
    if (order := columns.get(spec.name)) is not None:
        names = [names[at] for at in placed(names, order, data.where)]
    numbers = all(each.ndim == 1 and each.dtype.kind in "fiub" for each in inputs.values())
    if not names or not numbers or len(spec.shape) != 2:
        return data
    table = np.stack([inputs[each] for each in names], axis=1).astype(spec.dtype)
    return replace(data, inputs={spec.name: table}, columns={spec.name: tuple(names)})


def _ordered(data: Dataset, columns: Columns) -> Dataset:
    """Tables whose columns have names in the order of the model's."""
    inputs = dict(data.inputs)
    for name in columns.keys() & data.columns.keys() & inputs.keys():
        at = placed(data.columns[name], columns[name], f"{data.where}: input {name}")
        inputs[name] = inputs[name][:, at]
    return replace(data, inputs=inputs, columns={**data.columns, **columns})


def _fit(data: Dataset, spec: TensorSpec) -> np.ndarray:
    array = data.inputs[spec.name]
    wanted, given = spec.shape[1:], array.shape[1:]
    if len(wanted) != len(given) or any(w not in (None, g) for w, g in zip(wanted, given, strict=True)):
        raise BadInput(
            f"{data.where}: input {spec.name} has samples of shape {list(given)}; "
            f"the model takes {['any' if size is None else size for size in wanted]}"
        )
    dtype = np.dtype(object if spec.dtype == "string" else spec.dtype)
    text = array.dtype.kind in "UTO"
    if text != (spec.dtype == "string") or not (text or np.can_cast(array.dtype, dtype, "same_kind")):
        raise BadInput(f"{data.where}: input {spec.name} is {array.dtype}; the model takes {spec.dtype}")
    return np.ascontiguousarray(array, dtype=dtype)


def _array(value: Any, where: str, missing: bool = False) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise BadInput(f"{where} is not an array: {error}") from error
    if array.dtype.kind == "f" and not (np.isfinite(array) | (missing & np.isnan(array))).all():
        first = np.argwhere(~np.isfinite(array))[0]
        place = f"first in sample {int(first[0])}" if array.ndim else "and nothing else"
        hint = "" if where.endswith("labels") else ". Where NaN stands for a missing value write missing: true"
        raise BadInput(f"{where} holds NaN or infinity, {place}{hint}")
    return array


def _labels(value: Any, task: str, where: str) -> np.ndarray:
    labels = _array(value, f"{where}: labels")
    if labels.ndim == 0:
        raise BadInput(f"{where}: labels is one value; one for each sample is needed")
    if task != "classification":
        if labels.dtype.kind not in "fiu":
            raise BadInput(f"{where}: labels are {labels.dtype}; {task} takes numbers")
        return labels.astype(np.float64)
    if labels.ndim != 1:
        raise BadInput(f"{where}: labels have shape {list(labels.shape)}; classification takes one class a sample")
    if labels.dtype.kind in "UO" and all(isinstance(each, str) for each in labels.tolist()):
        return labels.astype(object)
    if labels.dtype.kind not in "iub":
        raise BadInput(f"{where}: labels must be class numbers or names; got {labels.dtype} such as {labels[:1]}")
    return labels.astype(np.int64)


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "nothing"
