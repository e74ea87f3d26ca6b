"""The input's batch is open; a Reshape inside has a batch of one."""

from model import Mlp, node, tensor, value
from onnx import TensorProto

mlp = Mlp()
mlp.save(
    [node("Reshape", ["x", "one"], ["xr"]), *mlp.nodes("xr")],
    inputs=[value("x", TensorProto.FLOAT, ["n", 2, 4])],
    weights=[*mlp.weights, tensor("one", [1, 8])],
    samples={"x": mlp.x.reshape(-1, 2, 4)},
)
