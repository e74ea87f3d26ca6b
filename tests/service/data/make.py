"""Makes the tests' models, a few hundred bytes each; needs the onnx package, which the tests do not.

Run it as `python tests/service/data/make.py`; it writes beside itself. Made with onnx 1.23.2.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

FLOAT, INT64, STRING, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING, TensorProto.BOOL
node = helper.make_node


def main() -> None:
    """classifier: softmax of 4 numbers to 3 classes; linear: y = 2x - 1; pair: two inputs added; lookup: two rows of a
    table of ten, so that it fails on other numbers; echo: a text; loop: as many turns as its input says, about 20 us
    each, then the input."""
    weights = np.array([[1, 0, -1], [0, 2, 0.5], [-1, 0.5, 1], [0.25, -0.5, 2]], np.float32)
    save(
        "classifier",
        [node("MatMul", ["features", "w"], ["logits"]), node("Softmax", ["logits"], ["probabilities"], axis=1)],
        {"features": (FLOAT, ["batch", 4])},
        {"probabilities": (FLOAT, ["batch", 3])},
        {"w": weights},
    )
    save(
        "linear",
        [node("Mul", ["x", "two"], ["double"]), node("Sub", ["double", "one"], ["y"])],
        {"x": (FLOAT, ["batch", 1])},
        {"y": (FLOAT, ["batch", 1])},
        {"two": np.array(2, np.float32), "one": np.array(1, np.float32)},
    )
    save(
        "pair",
        [node("Add", ["a", "b"], ["sum"])],
        {"a": (FLOAT, ["batch", 2]), "b": (FLOAT, ["batch", 2])},
        {"sum": (FLOAT, ["batch", 2])},
        {},
    )
    save(
        "lookup",
        [node("Gather", ["table", "ids"], ["values"])],
        {"ids": (INT64, ["batch", 2])},
        {"values": (FLOAT, ["batch", 2])},
        {"table": np.arange(10, dtype=np.float32)},
    )
    save(
        "echo",
        [node("Identity", ["text"], ["same"])],
        {"text": (STRING, ["batch", 1])},
        {"same": (STRING, ["batch", 1])},
        {},
    )
    turn = helper.make_graph(
        [
            node("Identity", ["more"], ["still"]),
            node("MatMul", ["square", "square"], ["squared"]),
            node("Mul", ["squared", "less"], ["next"]),
        ],
        "turn",
        values({"number": (INT64, []), "more": (BOOL, []), "square": (FLOAT, [64, 64])}),
        values({"still": (BOOL, []), "next": (FLOAT, [64, 64])}),
    )
    save(
        "loop",
        [
            node("ReduceMax", ["turns"], ["most"], keepdims=0),
            node("ConstantOfShape", ["size"], ["ones"], value=helper.make_tensor("one", FLOAT, [1], [1.0])),
            node("Loop", ["most", "", "ones"], ["last"], body=turn),
            node("Cast", ["turns"], ["y"], to=FLOAT),
        ],
        {"turns": (INT64, ["batch", 1])},
        {"y": (FLOAT, ["batch", 1]), "last": (FLOAT, [64, 64])},
        {"size": np.array([64, 64]), "less": np.array(1 / 64, np.float32)},
    )


def save(name, nodes, inputs, outputs, constants) -> None:
    """Write one checked model."""
    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, values(inputs), values(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    (Path(__file__).parent / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def values(described):
    return [helper.make_tensor_value_info(key, kind, shape) for key, (kind, shape) in described.items()]


if __name__ == "__main__":
    main()
