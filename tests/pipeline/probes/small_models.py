"""Writes small random models of many forms into a folder, `<number>.onnx`, and some with one thing wrong; what is
noted of outputs that are no rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from slipway.pipeline import runtime
from slipway.pipeline.batch import with_rows

COUNT = 40


def main(folder: Path) -> None:
    for number in range(COUNT):
        onnx.save(small(number), folder / f"{number}.onnx")
    onnx.save(normalized_by_its_batch(), folder / "normalized.onnx")
    notes = {}
    for name, shape in (("vector", [7]), ("scalar", []), ("row", [1, 3])):
        path = folder / f"{name}.onnx"
        onnx.save(with_constant(shape), path)
        inputs, _ = runtime.interface(path)
        notes[name] = with_rows(path, inputs, {"x": np.ones((5, 3), np.float32)}).notes
    print(json.dumps({"folder": str(folder), "notes": notes}))


def small(seed: int) -> onnx.ModelProto:
    """One input or two of a random dtype and rank, one to three outputs of other dtypes, among them a single number a
    sample, a text and truth."""
    generator = np.random.default_rng(seed)
    nodes, inputs, parts = [], [], []
    for at in range(1 + seed % 2):
        name, kind = f"in/{at}", ("float32", "float64", "int64", "float16", "bool", "text")[generator.integers(6)]
        sizes = [int(size) for size in generator.integers(1, 5, generator.integers(0, 4))]
        if kind == "text":
            inputs.append(_info(name, TensorProto.STRING, ["n", *sizes]))
            known = {"keys_strings": ["a", "b"], "values_floats": [1.0, -1.0], "default_float": 0.5}
            nodes.append(_node("LabelEncoder", [name], f"float{at}", domain="ai.onnx.ml", **known))
        else:
            inputs.append(_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), ["n", *sizes]))
            nodes.append(_node("Cast", [name], f"float{at}", to=TensorProto.FLOAT))
        nodes.append(_node("Flatten", [f"float{at}"], f"flat{at}"))
        parts.append((f"flat{at}", int(np.prod(sizes))))
    weight = generator.normal(size=(sum(size for _, size in parts), 3)).astype(np.float32)
    nodes.append(_node("Concat", [name for name, _ in parts], "all", axis=1))
    nodes += [_node("MatMul", ["all", "weight"], "scores"), _node("Softmax", ["scores"], "p")]
    outputs = [_info("p", TensorProto.FLOAT, ["n", 3])]
    for extra in generator.permutation(6)[: generator.integers(0, 3)]:
        more, output = _extra(int(extra))
        nodes += more
        outputs.append(output)
    return _model(nodes, inputs, outputs, [numpy_helper.from_array(weight, "weight")])


def normalized_by_its_batch() -> onnx.ModelProto:
    """Subtracts the mean of its batch, as layers do that were left in training mode."""
    nodes = [
        _node("ReduceMean", ["x"], "mean", axes=[0], keepdims=1),
        _node("Sub", ["x", "mean"], "centred"),
        _node("Softmax", ["centred"], "p"),
    ]
    return _model(nodes, [_info("x", TensorProto.FLOAT, ["n", 3])], [_info("p", TensorProto.FLOAT, ["n", 3])])


def with_constant(shape: list[int]) -> onnx.ModelProto:
    """A second output, `extra`, that is the same for any number of samples."""
    value = numpy_helper.from_array(np.ones(shape, np.float32), "value")
    nodes = [_node("Identity", ["x"], "same"), helper.make_node("Constant", [], ["extra"], value=value)]
    same, extra = _info("same", TensorProto.FLOAT, ["n", 3]), _info("extra", TensorProto.FLOAT, shape)
    return _model(nodes, [_info("x", TensorProto.FLOAT, ["n", 3])], [same, extra])


def _model(nodes: Any, inputs: Any, outputs: Any, weights: Any = ()) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "small", inputs, outputs, list(weights))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _extra(kind: int) -> tuple[list[onnx.NodeProto], onnx.ValueInfoProto]:
    """An output besides the probabilities."""
    name = f"out:{kind}"
    match kind:
        case 0:  # the class's number, a single value a sample
            return [_node("ArgMax", ["p"], name, axis=1, keepdims=0)], _info(name, TensorProto.INT64, ["n"])
        case 1:  # its text
            keys = {"keys_int64s": [0, 1, 2], "values_strings": ["é", "", "c"]}
            nodes = [_node("ArgMax", ["p"], "at", axis=1, keepdims=0)]
            nodes.append(_node("LabelEncoder", ["at"], name, domain="ai.onnx.ml", **keys))
            return nodes, _info(name, TensorProto.STRING, ["n"])
        case 2:
            return [_node("Cast", ["p"], name, to=TensorProto.FLOAT16)], _info(name, TensorProto.FLOAT16, ["n", 3])
        case 3:
            return [_node("Cast", ["p"], name, to=TensorProto.BOOL)], _info(name, TensorProto.BOOL, ["n", 3])
        case 4:
            return [_node("Cast", ["p"], name, to=TensorProto.DOUBLE)], _info(name, TensorProto.DOUBLE, ["n", 3])
        case _:
            return [_node("Cast", ["scores"], name, to=TensorProto.UINT8)], _info(name, TensorProto.UINT8, ["n", 3])


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], **attributes)


def _info(name: str, code: int, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, code, shape)
