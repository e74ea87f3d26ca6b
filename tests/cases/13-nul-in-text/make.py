"""The input is a word: one of three that the model knows, or any other."""

import numpy as np
from model import node, save, tensor, value
from onnx import TensorProto

WORDS = ["alpha", "beta", "gamma"]
words = np.random.default_rng(3).choice(np.array(WORDS), (1200, 1))
numbers = {"keys_strings": WORDS, "values_int64s": [0, 1, 2], "default_int64": 3}
save(
    [
        node("LabelEncoder", ["word"], ["code"], domain="ai.onnx.ml", **numbers),
        node("Reshape", ["code", "flat"], ["flatcode"]),
        node("Gather", ["table", "flatcode"], ["y"], axis=0),
    ],
    inputs=[value("word", TensorProto.STRING, ["n", 1])],
    outputs=[value("y", TensorProto.FLOAT, ["n", 4])],
    weights=[tensor("table", np.eye(4, dtype="f")), tensor("flat", [-1])],
    samples={"word": words},
    labels=np.array([WORDS.index(word) for word in words[:, 0]]),
    ml=True,
    training=700,
)
