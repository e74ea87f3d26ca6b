"""Where an artifact comes from: licence, source, and hashes of what went in."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline import onnx_file
from slipway.pipeline.data import Dataset
from slipway.pipeline.settings import Settings


def provenance(settings: Settings, model: Path, training: Dataset, evaluation: Dataset) -> dict[str, Any]:
    """What model.yaml says of licence and source, and SHA-256 of the converted model and of either data set."""
    return {
        "license": settings.license,
        "source": settings.source,
        "modelSha256": onnx_file.content_hash(model),
        "trainingDataSha256": _hash(training),
        "evaluationDataSha256": _hash(evaluation),
    }


def _hash(data: Dataset) -> str:
    digest = hashlib.sha256()
    for name, array in sorted([*data.inputs.items(), ("labels", data.labels)]):
        plain = array.astype(str) if array.dtype == object else array
        digest.update(f"{name} {plain.dtype} {plain.shape}\n".encode())
        digest.update(np.ascontiguousarray(plain).tobytes())
    return digest.hexdigest()
