"""Models of gigabytes: matrices of 256 MB, in external data."""

import json
import subprocess
from pathlib import Path

import numpy as np
from slipway.infra.home import home
from slipway.service.artifact import seal

from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.virtualenvs import environment
from tests.service.conftest import runtime

WIDTH = 8000  # of a sample, and of a square matrix

WRITE = """
import sys
from pathlib import Path
import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

folder, width, layers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random, nodes, weights, size = np.random.default_rng(1), [], [], width * width * 4
with (folder / "weights.bin").open("wb") as file:
    for at in range(layers):
        last = at == layers - 1
        file.write(((random.random((width, width), dtype="f") - 0.5) * (0.05 if not last else 0.01)).tobytes())
        tensor = TensorProto(name=f"w{at}", data_type=TensorProto.FLOAT, dims=[width, width], raw_data=b"")
        set_external_data(tensor, "weights.bin", at * size, size)
        tensor.ClearField("raw_data")
        weights.append(tensor)
        nodes.append(helper.make_node("MatMul", ["x" if at == 0 else f"t{at}", f"w{at}"], [f"m{at}"]))
        nodes.append(helper.make_node("Tanh", [f"m{at}"], ["y0" if last else f"t{at + 1}"]))
nodes.append(helper.make_node("Slice", ["y0", "from", "to", "axis"], ["y"]))
small = [helper.make_tensor(name, TensorProto.INT64, [1], [v]) for name, v in (("from", 0), ("to", 4), ("axis", 1))]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
graph = helper.make_graph(nodes, "large", [x], [y], [*weights, *small])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
(folder / "model.onnx").write_bytes(model.SerializeToString())
"""
YAML = """\
task: regression
metric: rmse
maximum: 1
budget: 0.1
model: model.onnx
training: training.npz
evaluation: evaluation.npz
"""


def large_graph(folder: Path, matrices: int) -> int:
    """Writes model.onnx and weights.bin of so many matrices; the bytes of the second."""
    python = environment([PIPELINE_LOCK], home() / "envs")
    subprocess.run([python, "-c", WRITE, folder, str(WIDTH), str(matrices)], check=True)
    return WIDTH * WIDTH * 4 * matrices


def large_artifact(folder: Path, matrices: int) -> int:
    """Makes `folder` an artifact of such a graph, which nobody has judged; the bytes of its weights."""
    size = large_graph(folder, matrices)
    sample = np.random.default_rng(2).normal(size=WIDTH).astype("f").tolist()
    (answer,) = runtime(folder, {"x": [sample]})
    x, y = ({"name": name, "dtype": "float32", "shape": [None, count]} for name, count in (("x", WIDTH), ("y", 4)))
    told = {
        "signature": {"name": "large", "task": "regression", "inputs": [x], "outputs": [y], "labels": None},
        "example": {"inputs": {"x": sample}},
        "example.response": {"outputs": {"y": answer[0].tolist()}},
    }
    for name, content in told.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    seal(folder)
    return size


def large_model(folder: Path, matrices: int) -> int:
    """Writes a model folder of such a graph, its data and its model.yaml; the bytes of its weights."""
    size = large_graph(folder, matrices)
    random = np.random.default_rng(2)
    for name in ("training", "evaluation"):
        rows = random.normal(size=(32, WIDTH)).astype("f")
        np.savez(folder / f"{name}.npz", x=rows, label=np.zeros((32, 4), "f"))
    (folder / "model.yaml").write_text(YAML)
    return size
