"""PyTorch: its own ONNX exporter. An extra: the package has several gigabytes, so no example brings it."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from service.pipeline import runtime
from service.pipeline.data import Inputs
from service.pipeline.errors import BadInput
from service.pipeline.sources.base import Source, first_line

OPSET = 17


def convert(model: Any, training: Inputs) -> Source:
    """Inputs go to forward() in the order of the data, and keep their names; the batch axis is left free."""
    import torch

    model = model.eval().cpu()
    names = list(training)
    example = tuple(torch.from_numpy(np.ascontiguousarray(array[:2])) for array in training.values())
    try:
        with torch.no_grad():
            answer = model(*example)
        count = len(answer) if isinstance(answer, tuple | list) else 1
        outputs = [f"output_{at}" for at in range(count)] if count > 1 else ["output"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            torch.onnx.export(
                model,
                example,
                str(path),
                input_names=names,
                output_names=outputs,
                dynamic_axes={name: {0: "batch"} for name in [*names, *outputs]},
                opset_version=OPSET,
                dynamo=False,
            )
            proto = onnx.load(path)
    except Exception as error:
        raise BadInput(f"PyTorch does not export {type(model).__name__} to ONNX: {first_line(error)}") from error

    def predictions(inputs: Inputs) -> list[np.ndarray]:
        parts = []
        for at in range(0, len(next(iter(inputs.values()))), runtime.CHUNK):
            given = [torch.from_numpy(inputs[name][at : at + runtime.CHUNK]) for name in names]
            with torch.no_grad():
                answer = model(*given)
            parts.append([each.numpy() for each in (answer if count > 1 else [answer])])
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    return Source("pytorch", proto, predictions)
