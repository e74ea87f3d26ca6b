"""A new model folder: what has to be filled in says so when it is built."""

from pathlib import Path

from cli.models import ROOT, checked_name
from service.pipeline.errors import BadInput, shown

LIMITS = {
    "classification": "metric: accuracy\nminimum: 0.9    # the lowest held-out accuracy that may be deployed",
    "regression": "metric: rmse\nmaximum: 1.0    # the highest held-out error that may be deployed",
}
SETTINGS = """\
task: {task}
{limit}
budget: 0.01    # how much worse than FP32 a faster variant may be
"""
REQUIREMENTS = "# The packages that model.py imports, then: slipway model lock {name}\nnumpy\n"
MODEL = '''\
"""{name}: what it tells, from what."""

from pathlib import Path
from typing import Any

import numpy as np


def train(log_dir: Path) -> Any:
    """The model; learning curves may go to `log_dir` for TensorBoard."""
    raise NotImplementedError("return a Keras model, an onnx.ModelProto, or the path of an .onnx file in this folder")


def training_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    raise NotImplementedError("return arrays by the name of the model's input, samples first, and {answers}")


def evaluation_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    raise NotImplementedError("return the same of samples that training never sees")
'''


def scaffold(name: str, task: str) -> Path:
    """Writes models/NAME with everything a build asks for. Raises BadInput where the folder is there already."""
    folder = checked_name(ROOT / "models" / name)
    if folder.exists():
        raise BadInput(f"{shown(folder)} is there already")
    answers = "class numbers from 0" if task == "classification" else "the values to tell"
    folder.mkdir()
    (folder / "model.yaml").write_text(SETTINGS.format(task=task, limit=LIMITS[task]), encoding="utf-8")
    (folder / "requirements.in").write_text(REQUIREMENTS.format(name=name), encoding="utf-8")
    (folder / "model.py").write_text(MODEL.format(name=name, answers=answers), encoding="utf-8")
    return folder
