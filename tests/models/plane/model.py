"""A plane over four inputs, written down as ONNX: a model that needs no framework and trains in no time."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SLOPE = 2.0


def train(log_dir):
    weights = numpy_helper.from_array(np.full((4, 1), SLOPE, "float32"), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "plane",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def training_data():
    return _data(1)


def evaluation_data():
    return _data(2)


def _data(seed):
    x = np.random.default_rng(seed).uniform(-1, 1, (400, 4)).astype("float32")
    return {"x": x}, (x.sum(axis=1, keepdims=True) * SLOPE).astype("float32")
