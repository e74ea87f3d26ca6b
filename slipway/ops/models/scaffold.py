"""A new model folder: what has to be filled in says so when it is built."""

from pathlib import Path

from slipway.infra.home import ROOT
from slipway.ops.models.refs import checked_name
from slipway.pipeline.errors import BadInput, shown

LIMITS = {
    "classification": "metric: accuracy\nminimum: 0.9    # the lowest held-out accuracy that may be deployed",
    "regression": "metric: rmse\nmaximum: 1.0    # the highest held-out error that may be deployed",
    "embedding": "metric: cosine\nminimum: 0.99   # the lowest held-out similarity that may be deployed",
}
ANSWERS = {
    "classification": "class numbers from 0",
    "regression": "the values to tell",
    "embedding": "None, or the vectors to come close to",
}
SETTINGS = """\
task: {task}
{limit}
budget: 0.01    # how much worse than FP32 a faster variant may be
# license: Apache-2.0
# source: where the data comes from
"""
FILES = """\
model: model.onnx
training: training.csv      # or .npz, .parquet: what calibrates INT8 and describes the inputs
evaluation: evaluation.csv  # held out: what decides
# label: label              # the column or array that holds the answers
# labels: ["no", "yes"]     # the classes' names, in order: quoted, as YAML reads no, yes and 1 as something else
"""
REQUIREMENTS = {
    "keras": "tensorflow-cpu==2.21.0\nkeras==3.15.1\ntf2onnx==1.17.0\ntensorboard\n",
    "sklearn": "scikit-learn\nskl2onnx\n",
    "pytorch": "# Several gigabytes from PyPI\ntorch\nonnxscript\n",
}
RETURNS = {
    "keras": "a Keras model, or the path of a .keras or .h5 file or a SavedModel in this folder",
    "sklearn": "a fitted estimator or pipeline",
    "pytorch": "a torch.nn.Module; its inputs come in the order of training_data()",
}
MODEL = '''\
"""{name}: what it tells, from what."""

from pathlib import Path
from typing import Any

import numpy as np


def train(log_dir: Path) -> Any:
    """The model; learning curves may go to `log_dir` for TensorBoard."""
    raise NotImplementedError("return {returns}")


def training_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    raise NotImplementedError("return arrays by the name of the model's input, samples first, and {answers}")


def evaluation_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    raise NotImplementedError("return the same of samples that training never sees")
'''


def scaffold(name: str, task: str, framework: str) -> tuple[Path, list[str]]:
    """Writes models/NAME with everything a build asks for; returns it and what to do next.

    Raises BadInput where the folder is there already.
    """
    folder = checked_name(ROOT / "models" / name)
    if folder.exists():
        raise BadInput(f"{shown(folder)} is there already")
    folder.mkdir()
    settings = SETTINGS.format(task=task, limit=LIMITS[task])
    steps = ["model.yaml: the worst figure that may be deployed, and the budget"]
    if framework == "onnx":
        settings += FILES
        steps.append(f"put model.onnx, training.csv and evaluation.csv into {shown(folder)}")
    else:
        model = MODEL.format(name=name, answers=ANSWERS[task], returns=RETURNS[framework])
        (folder / "model.py").write_text(model, encoding="utf-8")
        (folder / "requirements.in").write_text(f"numpy\n{REQUIREMENTS[framework]}", encoding="utf-8")
        steps.append(f"requirements.in: the packages; then slipway model lock {name}")
        steps.append("model.py: train, training_data, evaluation_data")
    (folder / "model.yaml").write_text(settings, encoding="utf-8")
    return folder, [*steps, f"slipway model build {shown(folder)}"]
