"""A second output, `detections`, is as long as the number of boxes that NonMaxSuppression keeps."""

import numpy as np
from model import Mlp, node, tensor, value
from onnx import TensorProto

BOXES = 6
mlp = Mlp()
more = [
    node("MatMul", ["x", "WB"], ["bb"]),
    node("Reshape", ["bb", "bs"], ["boxes"]),
    node("MatMul", ["x", "WS"], ["ss"]),
    node("Unsqueeze", ["ss", "one"], ["scores"]),
    node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "low"], ["detections"]),
]
weights = [
    tensor("WB", mlp.normal(8, BOXES * 4)),
    tensor("WS", mlp.normal(8, BOXES)),
    tensor("bs", [-1, BOXES, 4]),
    tensor("one", [1]),
    tensor("most", [5]),
    tensor("iou", np.array([0.5], "f")),
    tensor("low", np.array([0], "f")),
]
mlp.save(
    [*mlp.nodes(), *more],
    outputs=[*mlp.outputs, value("detections", TensorProto.INT64, ["k", 3])],
    weights=[*mlp.weights, *weights],
)
