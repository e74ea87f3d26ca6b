"""Writes a model folder around a small network: model.onnx, training.npz, evaluation.npz, model.yaml."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SETTINGS = """\
task: classification
metric: accuracy
minimum: {minimum}
budget: {budget}
model: model.onnx
training: training.npz
evaluation: evaluation.npz
"""

node, value = helper.make_node, helper.make_tensor_value_info


def tensor(name: str, array: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def save(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[onnx.TensorProto],
    samples: dict[str, np.ndarray],
    labels: np.ndarray,
    ml: bool = False,
    ir: int = 9,
    minimum: float = 0.9,
    budget: float = 0.02,
    training: int = 800,
) -> None:
    """Writes the folder that argv[1] names. The first `training` samples are for training, the rest for evaluation."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    operators = [helper.make_opsetid("", 17), *([helper.make_opsetid("ai.onnx.ml", 3)] if ml else [])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=operators, ir_version=ir), folder / "model.onnx")
    for name, part in (("training", slice(training)), ("evaluation", slice(training, None))):
        np.savez(folder / f"{name}.npz", label=labels[part], **{key: each[part] for key, each in samples.items()})
    (folder / "model.yaml").write_text(SETTINGS.format(minimum=minimum, budget=budget))


class Mlp:
    """x [n, features] -> MatMul, Relu, MatMul -> y [n, classes], and random samples with the labels it gives them."""

    def __init__(
        self, features: int = 8, hidden: int = 32, classes: int = 3, samples: int = 1600, scale: float = 1.0
    ) -> None:
        self.random = np.random.default_rng(7)
        self.samples, self.classes = samples, classes
        self.w1 = self.normal(features, hidden)
        self.w2 = self.normal(hidden, classes) * np.float32(scale)
        self.x = self.normal(samples, features)
        self.labels = (np.maximum(self.x @ self.w1, 0) @ self.w2).argmax(1)
        self.weights = [tensor("W1", self.w1), tensor("W2", self.w2)]
        self.inputs = [value("x", TensorProto.FLOAT, ["n", features])]
        self.outputs = [value("y", TensorProto.FLOAT, ["n", classes])]

    def normal(self, *shape: int) -> np.ndarray:
        return self.random.normal(size=shape).astype("f")

    def nodes(self, x: str = "x") -> list[onnx.NodeProto]:
        return [node("MatMul", [x, "W1"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "W2"], ["y"])]

    def save(self, nodes: Sequence[onnx.NodeProto] = (), **changes: Any) -> None:
        """Writes the network, or others that use its weights, with its samples."""
        own = {"inputs": self.inputs, "outputs": self.outputs, "weights": self.weights, "labels": self.labels}
        own |= {"samples": {"x": self.x}, "training": self.samples // 2}
        save(nodes or self.nodes(), **{**own, **changes})
