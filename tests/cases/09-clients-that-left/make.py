"""A slow model: a Loop of 400 matrix products, whose result hardly counts."""

import numpy as np
from model import Mlp, node, tensor, value
from onnx import TensorProto, helper

HIDDEN = 1536
mlp = Mlp(features=4, hidden=HIDDEN, classes=2, samples=40, scale=1e-9)
loop = (mlp.random.normal(size=(HIDDEN, HIDDEN)) * 0.05).astype("f")
direct = mlp.normal(4, mlp.classes)
body = helper.make_graph(
    [node("MatMul", ["v", "WL"], ["m"]), node("Tanh", ["m"], ["w"]), node("Identity", ["c"], ["d"])],
    "body",
    [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("v", TensorProto.FLOAT, ["n", HIDDEN])],
    [value("d", TensorProto.BOOL, []), value("w", TensorProto.FLOAT, ["n", HIDDEN])],
)
nodes = [
    node("MatMul", ["x", "W1"], ["h"]),
    node("Loop", ["trips", "go", "h"], ["l"], body=body),
    node("MatMul", ["l", "W2"], ["z"]),
    node("MatMul", ["x", "WS"], ["s"]),
    node("Add", ["s", "z"], ["y"]),
]
weights = [tensor("WL", loop), tensor("WS", direct), tensor("trips", 400), tensor("go", np.True_)]
labels = (mlp.x @ direct).argmax(1)
mlp.save(nodes, weights=[*mlp.weights, *weights], labels=labels, minimum=0.5, budget=0.3)
