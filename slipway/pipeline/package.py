"""Writes the artifact folder that the service reads."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from slipway.pipeline import onnx_file, runtime
from slipway.pipeline.data import Dataset, Inputs
from slipway.pipeline.errors import BadInput
from slipway.pipeline.render import markdown
from slipway.pipeline.statistics import statistics
from slipway.service.artifact import HELD_OUT, Signature, TensorSpec, seal

Specs = tuple[TensorSpec, ...]
BACKGROUND = 16
HELD_OUT_SAMPLES = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Package:
    """What an artifact is made of besides its report. `answers`: to all of `evaluation`. `alone`: samples are run one
    at a time. `elsewhere`: the hardware that it is meant for is not here."""

    model: Path
    inputs: Specs
    outputs: Specs
    labels: tuple[str, ...] | None
    training: Dataset
    evaluation: Dataset
    answers: list[np.ndarray]
    alone: bool
    elsewhere: bool


def write_artifact(folder: Path, package: Package, report: dict[str, Any]) -> Signature:
    """Fills an empty folder with the model, its signature, an example with its answer, statistics and report.

    `explanation.npz` holds for each input `baseline:<name>`, what an attribution starts from (the mean, or the most
    frequent value where there is none), and `background:<name>`, a few training samples. `held_out.npz` of a model for
    hardware that is not here: samples, `input:<name>`, and what they must be answered there, `output:<name>`. Raises
    BadInput where no sample could be an example, as the model answers each with NaN or infinity.
    """
    inputs, training, evaluation = package.inputs, package.training, package.evaluation
    signature = Signature(
        name=report["model"],
        task=report["task"],
        inputs=tuple(
            dataclasses.replace(_ranged(spec, training.inputs[spec.name]), columns=training.columns.get(spec.name))
            for spec in inputs
        ),
        outputs=package.outputs,
        labels=package.labels,
        steady=_is_steady(package.model, inputs),
        alone=package.alone,
    )
    answers = {spec.name: each for spec, each in zip(package.outputs, package.answers, strict=True)}
    at = _whole(evaluation.inputs, answers)
    sample = {name: array[at : at + 1] for name, array in evaluation.inputs.items()}
    onnx_file.copy(package.model, folder / "model.onnx")
    _write(folder / "signature.json", signature.to_json())
    _write(
        folder / "example.json",
        {"inputs": {name: _plain(array[0]) for name, array in sample.items()}},
        indent=None,
    )
    _write(folder / "example.response.json", _response(folder / "model.onnx", signature, sample))
    _write(folder / "statistics.json", statistics(training.inputs))
    np.savez_compressed(folder / "explanation.npz", **_explanation(training.inputs))  # type: ignore[arg-type]
    if package.elsewhere:
        np.savez_compressed(folder / HELD_OUT, **_held_out(package))  # type: ignore[arg-type]
    write_report(folder, report)
    return signature


def write_report(folder: Path, report: dict[str, Any]) -> str:
    """The report as JSON, card and plot of an artifact; seals it, and returns its digest."""
    from slipway.pipeline.plot import plot_variants  # late, as matplotlib is slow to load

    _write(folder / "report.json", report)
    (folder / "card.md").write_text(markdown(report), encoding="utf-8")
    plot_variants(report, folder / "variants.png")
    return seal(folder)


def _response(model: Path, signature: Signature, sample: Inputs) -> dict[str, Any]:
    answers = runtime.predict(runtime.session(model), sample)
    names = [spec.name for spec in signature.outputs]
    response: dict[str, Any] = {"outputs": {name: _plain(each[0]) for name, each in zip(names, answers, strict=True)}}
    if signature.labels is not None and signature.task == "classification":
        response["label"] = signature.labels[int(answers[0].argmax())]
    return response


def _is_steady(model: Path, inputs: Specs) -> bool:
    """Whether neither sizes nor values of a sample change how long it takes: no free sizes, texts or loops."""
    free = any(spec.dtype == "string" or None in spec.shape[1:] for spec in inputs)
    nodes = onnx.load(model, load_external_data=False).graph.node
    return not free and not any(node.op_type in ("Loop", "Scan", "NonMaxSuppression") for node in nodes)


def _ranged(spec: TensorSpec, array: np.ndarray) -> TensorSpec:
    if array.dtype.kind not in "fiu" or np.isnan(array).all():
        return spec
    nullable = bool(np.isnan(array).any())
    return dataclasses.replace(
        spec, minimum=float(np.nanmin(array)), maximum=float(np.nanmax(array)), nullable=nullable
    )


def _whole(inputs: Inputs, answers: Inputs) -> int:
    """The first sample without a missing value whose answers are numbers; where each misses one, the first of those
    whose answers are."""
    count = len(next(iter(inputs.values())))
    missing, odd = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    for array in inputs.values():
        if array.dtype.kind == "f":
            missing |= np.isnan(array.reshape(count, -1)).any(axis=1)
    for array in answers.values():
        if array.dtype.kind == "f":
            odd |= ~np.isfinite(array.reshape(count, -1)).all(axis=1)
    if odd.all():
        name = next(name for name, each in answers.items() if each.dtype.kind == "f" and not np.isfinite(each).all())
        raise BadInput(f"the model's output {name} holds NaN or infinity, which no answer can carry")
    return int(np.argmin(missing.astype(int) + 2 * odd))


def _explanation(training: Inputs) -> dict[str, np.ndarray]:
    found = {}
    for name, array in training.items():
        plain = array.astype(str) if array.dtype == object else array
        at = np.unique(np.linspace(0, len(plain) - 1, BACKGROUND).astype(int))
        found[f"background:{name}"] = plain[at]
        found[f"baseline:{name}"] = (
            np.nan_to_num(np.nanmean(plain, axis=0)) if plain.dtype.kind == "f" else _mode(plain)
        )
    return found


def _held_out(package: Package) -> dict[str, np.ndarray]:
    """Without the outputs whose samples differ in shape."""
    at = np.unique(np.linspace(0, len(package.evaluation) - 1, HELD_OUT_SAMPLES).astype(int))
    inputs = {f"input:{name}": array[at] for name, array in package.evaluation.inputs.items()}
    outputs = {
        f"output:{spec.name}": array[at]
        for spec, array in zip(package.outputs, package.answers, strict=True)
        if array.dtype != object or spec.dtype == "string"
    }
    return {name: array.astype(str) if array.dtype == object else array for name, array in (inputs | outputs).items()}


def _mode(array: np.ndarray) -> np.ndarray:
    values, counts = np.unique(array, axis=0, return_counts=True)
    mode: np.ndarray = values[counts.argmax()]
    return mode


def _plain(array: np.ndarray) -> Any:
    """Nested lists; float32 in the fewest digits that read back as the same float32, a missing number as null."""
    array = np.asarray(array)  # a single string is none
    if array.dtype == np.float32:
        array = np.array([float(str(each)) for each in array.ravel()]).reshape(array.shape)
    if array.dtype.kind == "f" and np.isnan(array).any():
        array = np.where(np.isnan(array), np.array(None, object), array.astype(object))
    return array.tolist()


def _write(file: Path, data: dict[str, Any], indent: int | None = 1) -> None:
    file.write_text(json.dumps(data, indent=indent, allow_nan=False) + "\n", encoding="utf-8")
