"""Both branches of an If multiply by W2, a weight of the outer graph."""

import numpy as np
from model import Mlp, node, tensor, value
from onnx import GraphProto, TensorProto, helper

mlp = Mlp()


def branch(name: str) -> GraphProto:
    product = node("MatMul", ["h", "W2"], [name])
    return helper.make_graph([product], name, [], [value(name, TensorProto.FLOAT, ["n", mlp.classes])])


nodes = [
    node("MatMul", ["x", "W1"], ["h0"]),
    node("Relu", ["h0"], ["h"]),
    node("ReduceMax", ["h"], ["top"], keepdims=0),
    node("Greater", ["top", "limit"], ["big"]),
    node("If", ["big"], ["y"], then_branch=branch("t"), else_branch=branch("e")),
]
mlp.save(nodes, weights=[*mlp.weights, tensor("limit", np.float32(1e9))])
