"""Scores first; the number of the best class, int64 [n], second."""

from model import Mlp, node, value
from onnx import TensorProto

mlp = Mlp()
mlp.save(
    [*mlp.nodes(), node("ArgMax", ["y"], ["label_id"], axis=1, keepdims=0)],
    outputs=[*mlp.outputs, value("label_id", TensorProto.INT64, ["n"])],
)
