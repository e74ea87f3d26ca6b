"""Normalizes by the batch's own mean and variance: as parts, or (argument operator) as BatchNormalization."""

import sys

import numpy as np
from model import Mlp, node, tensor

mlp = Mlp()
if sys.argv[2] == "operator":
    arrays = {"s": np.ones(8, "f"), "b": np.zeros(8, "f"), "m": np.zeros(8, "f"), "v": np.ones(8, "f")}
    more = [tensor(name, array) for name, array in arrays.items()]
    first = [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["xn", "rm", "rv"], training_mode=1)]
else:
    more = [tensor("eps", np.float32(1e-5))]
    first = [
        node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        node("Sub", ["x", "mean"], ["xc"]),
        node("Mul", ["xc", "xc"], ["sq"]),
        node("ReduceMean", ["sq"], ["var"], axes=[0], keepdims=1),
        node("Add", ["var", "eps"], ["var2"]),
        node("Sqrt", ["var2"], ["dev"]),
        node("Div", ["xc", "dev"], ["xn"]),
    ]
mlp.save([*first, *mlp.nodes("xn")], weights=[*mlp.weights, *more])
