"""Small random models, as `tests/pipeline/probes/small_models.py` writes them, with samples and as artifacts."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from slipway.service.artifact import Signature, TensorSpec, seal

from slipway.pipeline import runtime
from slipway.pipeline.data import Dataset

SAMPLES = 60


@dataclass(frozen=True)
class Small:
    """A model's file, samples, and its answers to all of them together; they are right, as the labels are theirs."""

    path: Path
    signature: Signature
    data: Dataset
    answers: list[np.ndarray]


def small(path: Path, seed: int = 0) -> Small:
    running = runtime.session(path)
    takes, gives = runtime.specs(running)
    generator = np.random.default_rng(seed)
    samples = {spec.name: _values(generator, spec) for spec in takes}
    answers = runtime.predict(running, samples)
    names = {"labels": ("a", "b", "c"), "name": path.stem, "task": "classification"}
    signature = Signature(inputs=takes, outputs=gives, steady=True, **names)
    return Small(path, signature, Dataset(samples, answers[0].argmax(axis=1), path.name), answers)


def stored(folder: Path, model: Small, **changes: Any) -> Path:
    """An artifact of it that a service can run; `changes` are of its signature."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.path.read_bytes())
    (folder / "signature.json").write_text(json.dumps(model.signature.to_json() | changes))
    first = {name: array[:1] for name, array in model.data.inputs.items()}
    alone = runtime.predict(runtime.session(model.path), first)
    names = [spec.name for spec in model.signature.outputs]
    response = {"outputs": {name: _plain(each[0]) for name, each in zip(names, alone, strict=True)}}
    response["label"] = "abc"[int(alone[0][0].argmax())]
    (folder / "example.json").write_text(
        json.dumps({"inputs": {name: _plain(each[0]) for name, each in first.items()}})
    )
    (folder / "example.response.json").write_text(json.dumps(response))
    seal(folder)
    return folder


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else value.tolist()


def _values(generator: np.random.Generator, spec: TensorSpec) -> np.ndarray:
    shape = (SAMPLES, *(size or 1 for size in spec.shape[1:]))
    if spec.dtype == "string":
        return generator.choice(np.array(["a", "b", "ü", ""], object), shape)
    if spec.dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    values = generator.normal(scale=1.5, size=shape)
    return np.round(values * 3).astype(spec.dtype) if spec.dtype.startswith("int") else values.astype(spec.dtype)
