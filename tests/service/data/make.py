"""Makes the tests' models, a few hundred bytes each; needs the onnx package, which the tests do not.

Run it as `python tests/service/data/make.py`; it writes beside itself. Made with onnx 1.23.2.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper


def main() -> None:
    """classifier: softmax of 4 numbers to 3 classes; linear: y = 2x - 1; pair: two inputs added."""
    weights = np.array([[1, 0, -1], [0, 2, 0.5], [-1, 0.5, 1], [0.25, -0.5, 2]], np.float32)
    node = helper.make_node
    save(
        "classifier",
        [node("MatMul", ["features", "w"], ["logits"]), node("Softmax", ["logits"], ["probabilities"], axis=1)],
        {"features": ["batch", 4]},
        {"probabilities": ["batch", 3]},
        {"w": weights},
    )
    save(
        "linear",
        [node("Mul", ["x", "two"], ["double"]), node("Sub", ["double", "one"], ["y"])],
        {"x": ["batch", 1]},
        {"y": ["batch", 1]},
        {"two": np.array(2, np.float32), "one": np.array(1, np.float32)},
    )
    save(
        "pair",
        [node("Add", ["a", "b"], ["sum"])],
        {"a": ["batch", 2], "b": ["batch", 2]},
        {"sum": ["batch", 2]},
        {},
    )


def save(name, nodes, inputs, outputs, constants) -> None:
    """Write one checked model; all its tensors are float32."""

    def values(shapes):
        return [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in shapes.items()]

    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, values(inputs), values(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    (Path(__file__).parent / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
