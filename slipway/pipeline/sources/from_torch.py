"""PyTorch: its own ONNX exporter. An extra: the package has several gigabytes, so no model in models/ brings it."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from slipway.pipeline import runtime
from slipway.pipeline.data import Inputs
from slipway.pipeline.errors import BadInput
from slipway.pipeline.sources.base import Converted, Predict, first_line

OPSET = 17


def convert(model: Any, training: Inputs) -> Converted:
    """Inputs go to forward() in the order of the data, and keep their names; the batch axis is left free."""
    import torch

    model = model.eval().cpu()
    names = list(training)
    example = tuple(torch.from_numpy(np.ascontiguousarray(array[:2])) for array in training.values())
    try:
        with torch.no_grad():
            answer = model(*example)
    except Exception as error:
        raise BadInput(f"{type(model).__name__} does not take the training data: {first_line(error)}") from error
    count = len(answer) if isinstance(answer, tuple | list) else 1
    outputs = [f"output_{at}" for at in range(count)] if count > 1 else ["output"]
    try:
        proto = _exported(model, example, names, outputs)
    except Exception as error:
        place = _culprit(model, example)
        raise BadInput(
            f"PyTorch does not export {type(model).__name__} to ONNX ({place}): {first_line(error)}"
        ) from error

    return Converted("pytorch", proto, answers(model, names))


def answers(model: Any, names: list[str]) -> Predict:
    """The module's own answers; inputs go to forward() in the order of their names."""
    import torch

    model = model.eval().cpu()

    def predictions(inputs: Inputs) -> list[np.ndarray]:
        parts = []
        for at in range(0, len(next(iter(inputs.values()))), runtime.CHUNK):
            given = [torch.from_numpy(inputs[name][at : at + runtime.CHUNK]) for name in names]
            with torch.no_grad():
                answer = model(*given)
            parts.append([each.numpy() for each in (answer if isinstance(answer, tuple | list) else [answer])])
        return [np.concatenate(each) for each in zip(*parts, strict=True)]

    return predictions


def _exported(model: Any, example: tuple[Any, ...], names: list[str], outputs: list[str]) -> onnx.ModelProto:
    import torch

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
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
        return onnx.load(path)


def _culprit(model: Any, example: tuple[Any, ...]) -> str:
    """The innermost module that can't be exported even alone."""
    import torch

    ran: dict[str, tuple[Any, tuple[Any, ...]]] = {}  # inner modules end before those around them

    def note(name: str) -> Callable[..., None]:
        return lambda module, given, answer: ran.setdefault(name, (module, given)) and None

    hooks = [module.register_forward_hook(note(name)) for name, module in model.named_modules()]
    with torch.no_grad():
        model(*example)
    for hook in hooks:
        hook.remove()
    for name, (module, given) in ran.items():
        if not name or not given or not all(isinstance(each, torch.Tensor) for each in given):
            continue
        try:
            _exported(module, given, [f"input_{at}" for at in range(len(given))], ["output"])
        except Exception:
            return f"module {name}, a {type(module).__name__}"
    return "its forward()"
