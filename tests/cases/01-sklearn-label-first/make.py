"""A linear classifier: label first, then its scores as a tensor or (argument zipmap) as a list of maps."""

import sys

import onnx
from model import Mlp, node, value
from onnx import TensorProto, helper

mlp = Mlp()
weights = mlp.w1 @ mlp.w2
nodes = [
    node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        coefficients=weights.T.ravel().tolist(),
        intercepts=[0.0] * mlp.classes,
        classlabels_ints=list(range(mlp.classes)),
        multi_class=1,
        post_transform="SOFTMAX",
    )
]
outputs = [value("label", TensorProto.INT64, ["n"])]
if sys.argv[2] == "zipmap":
    classes = list(range(mlp.classes))
    nodes.append(node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=classes))
    entry = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    outputs.append(onnx.ValueInfoProto(name="probabilities", type=helper.make_sequence_type_proto(entry)))
else:
    outputs.append(value("scores", TensorProto.FLOAT, ["n", mlp.classes]))
mlp.save(nodes, outputs=outputs, weights=[], labels=(mlp.x @ weights).argmax(1), ml=True)
