"""Makes the bench's models as artifacts: `python bench/models.py FOLDER`, in the environment of bench/requirements.txt.

noop gives 128 numbers back; convolutions of random weights take about 1 ms and 5 ms of one core; image averages each
channel of a picture. Random weights compute as long as learned ones.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

ROOT = Path(__file__).parents[1]
LAYERS = {"ms1": 12, "ms5": 60}


def main(folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    node = helper.make_node
    write(folder / "noop", [node("Identity", ["x"], ["y"])], [128], [128], {})
    for name, layers in LAYERS.items():
        nodes, constants = convolutions(layers)
        write(folder / name, nodes, [128], [8], constants)
    mean = [node("GlobalAveragePool", ["x"], ["means"]), node("Flatten", ["means"], ["y"])]
    write(folder / "image", mean, [3, 224, 224], [3], {})


def convolutions(layers: int) -> tuple[list[Any], dict[str, Any]]:
    """128 numbers, spread to 8 channels of 32x32, through `layers` 3x3 convolutions of 32 channels, to 8 means."""
    rng = np.random.default_rng(7)
    node = helper.make_node
    constants: dict[str, Any] = {"square": np.array([0, 8, 4, 4]), "scales": np.float32([1, 1, 8, 8])}
    nodes = [
        node("Reshape", ["x", "square"], ["small"]),
        node("Resize", ["small", "", "scales"], ["plane0"], mode="nearest"),
    ]
    channels = [8, *[32] * (layers - 1), 8]
    for layer, (before, after) in enumerate(itertools.pairwise(channels)):
        weights = rng.normal(size=(after, before, 3, 3)) / np.sqrt(before * 9)
        constants[f"w{layer}"] = weights.astype(np.float32)
        nodes.append(node("Conv", [f"plane{layer}", f"w{layer}"], [f"sum{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(node("Relu", [f"sum{layer}"], [f"plane{layer + 1}"]))
    return [
        *nodes,
        node("GlobalAveragePool", [f"plane{layers}"], ["means"]),
        node("Flatten", ["means"], ["y"]),
    ], constants


def write(folder: Path, nodes: list[Any], taken: list[int], given: list[int], constants: dict[str, Any]) -> None:
    from slipway.service.artifact import seal

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: [["batch", *shape]] for name, shape in (("x", taken), ("y", given))}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, *shape) for name, shape in tensors.items()}
    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, folder.name, [values["x"]], [values["y"]], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))

    sample = np.random.default_rng(7).random(taken, dtype=np.float32)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    answer = session.run(None, {"x": sample[np.newaxis]})[0][0]
    spec = {"dtype": "float32", "minimum": None, "maximum": None}
    signature = {
        "name": folder.name,
        "task": "regression",
        "inputs": [{"name": "x", "shape": [None, *taken], **spec}],
        "outputs": [{"name": "y", "shape": [None, *given], **spec}],
        "labels": None,
        "steady": True,
    }
    for name, content in (
        ("signature", signature),
        ("example", {"inputs": {"x": sample.tolist()}}),
        ("example.response", {"outputs": {"y": answer.tolist()}}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content))
    seal(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
