"""The real command on tiny models, in the pipeline's real environment."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from slipway.infra.home import ROOT, home

from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.virtualenvs import environment
from tests.artifacts import own_home

SETTINGS = "task: classification\nmetric: accuracy\nminimum: 0.9\nbudget: 0.02\n"

# Three classes around three centres, told apart by one matrix product: needs no training framework.
MODEL = """\
import os
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CENTRES = np.random.default_rng(0).normal(size=(3, 64)).astype("float32")


def train(log_dir):
    (log_dir / "curve.txt").write_text("a curve")
    if flag := os.environ.get("TOY_FLAG"):
        Path(flag).write_text(str(os.getpid()))
        time.sleep(float(os.environ["TOY_SECONDS"]))
    return network()


def network():
    nodes = [helper.make_node("MatMul", ["x", "weights"], ["scores"]), helper.make_node("Softmax", ["scores"], ["p"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])
    p = helper.make_tensor_value_info("p", TensorProto.FLOAT, ["batch", 3])
    weights = numpy_helper.from_array(np.ascontiguousarray(CENTRES.T), "weights")
    graph = helper.make_graph(nodes, "toy", [x], [p], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def training_data():
    return points(1, 400)


def evaluation_data():
    return points(2, 400)


def labels():
    return ["left", "middle", "right"]


def points(seed, count):
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, 3, count)
    noise = generator.normal(size=(count, 64)).astype("float32")
    return {"x": CENTRES[classes] + noise}, classes
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def toy_home(tmp_path_factory):
    """One store for all tests on tiny models, with the user's real environments."""
    environment([PIPELINE_LOCK], home() / "envs")
    return own_home(tmp_path_factory.mktemp("toys") / "home")


@pytest.fixture
def command(toy_home):
    """The environment and arguments that start `slipway` as a user does."""

    def command(*arguments, **variables):
        return {
            "args": [sys.executable, "-m", "slipway.cli", *map(str, arguments)],
            "env": os.environ | {"SLIPWAY_HOME": str(toy_home)} | {name: str(each) for name, each in variables.items()},
            "cwd": ROOT,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }

    return command


@pytest.fixture
def slipway(command):
    def slipway(*arguments, **variables) -> Ended:
        done = subprocess.run(**command(*arguments, **variables), timeout=120, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)

    return slipway


@pytest.fixture
def toy(tmp_path):
    """Writes a model folder; pairs of texts change model.py, keywords write other files (None leaves one out)."""

    def toy(*changes: tuple[str, str], name: str = "toy", settings: str | None = SETTINGS, **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        model = MODEL
        for old, new in changes:
            assert old in model
            model = model.replace(old, new)
        (folder / "model.py").write_text(model)
        if settings is not None:
            (folder / "model.yaml").write_text(settings)
        for file, content in files.items():
            (folder / file.replace("_", ".", 1)).write_text(content)
        return folder

    return toy
