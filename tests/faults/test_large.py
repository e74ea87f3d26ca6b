"""A model above protobuf's 2 GiB, the whole way: built, stored, shared, fetched by another machine, served."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from slipway.infra.home import ROOT, home

WIDTH, LAYERS = 8000, 9  # 9 matrices of 256 MB
SIZE = WIDTH * WIDTH * 4 * LAYERS
MOST = 2.5  # of its size, what a build may take of memory

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from slipway.ops.models.refs import PIPELINE_LOCK
    from slipway.ops.models.virtualenvs import environment

    folder = tmp_path_factory.mktemp("large")
    python = environment([PIPELINE_LOCK], home() / "envs")
    subprocess.run([python, "-c", WRITE, folder, str(WIDTH), str(LAYERS)], check=True)
    random = np.random.default_rng(2)
    for name in ("training", "evaluation"):
        rows = random.normal(size=(32, WIDTH)).astype("f")
        np.savez(folder / f"{name}.npz", x=rows, label=np.zeros((32, 4), "f"))
    (folder / "model.yaml").write_text(YAML)
    yield folder
    shutil.rmtree(folder)


def built(folder: Path, place: Path, shared: Path) -> tuple[dict, float, float]:
    """What the command answers, its seconds, and the most memory that it and its children held, in bytes."""
    place.mkdir()
    (place / "envs").symlink_to(home() / "envs")
    variables = os.environ | {"SLIPWAY_HOME": str(place), "SLIPWAY_STORE": shared.as_uri()}
    begun, most = time.monotonic(), 0
    command = [sys.executable, "-m", "slipway.cli", "model", "build", str(folder), "--json"]
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            most = max(most, memory(process.pid))
            time.sleep(0.2)
        answer = process.stdout.read()
    assert process.returncode == 0
    return json.loads(answer), time.monotonic() - begun, most


def memory(pid: int) -> int:
    """Bytes of a process and its children; what they share counts once."""
    total = 0
    try:
        for each in [(parent := psutil.Process(pid)), *parent.children(recursive=True)]:
            total += each.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass
    return total


def test_a_model_above_two_gibibytes_is_built_stored_fetched_and_served(folder, tmp_path, start, found):
    (tmp_path / "shared").mkdir()
    first, seconds, most = built(folder, tmp_path / "first", tmp_path / "shared")
    again, fetched_in, _ = built(folder, tmp_path / "second", tmp_path / "shared")
    assert again["digest"] == first["digest"]
    assert (Path(again["path"]) / "model.onnx.data").stat().st_size >= SIZE
    worker = start(Path(again["path"]))
    example = json.loads((Path(again["path"]) / "example.json").read_bytes())
    right = json.loads((Path(again["path"]) / "example.response.json").read_bytes())
    answer = httpx.post(f"{worker.url}/predict", json=example, timeout=60).json()
    served = np.abs(np.array(answer["outputs"]["y"]) - np.array(right["outputs"]["y"])).max()
    found(
        "F15 a model above 2 GiB",
        f"{SIZE / 1e9:.1f} GB of FP32 weights beside the graph: built, put into a shared store, fetched, served",
        f"built in {seconds:.0f} s with at most {most / SIZE:.2f} times its size of memory, fetched in "
        f"{fetched_in:.0f} s, its example answered within {served:.0e}",
    )
    assert served < 1e-3
    assert most <= MOST * SIZE
    for place in ("first", "second", "shared"):
        shutil.rmtree(tmp_path / place)
