"""What a graph tells of classes: outputs that are labels, maps of scores, and the classes' names."""

import onnx
from onnx import TensorProto, helper

from slipway.pipeline.classes import Class

WORDS = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING)


def is_label(output: onnx.ValueInfoProto) -> bool:
    """Whether it is one class a sample."""
    kind = output.type.tensor_type
    return kind.elem_type in WORDS and (not kind.HasField("shape") or len(kind.shape.dim) <= 1)


def without_maps(graph: onnx.GraphProto) -> tuple[Class, ...] | None:
    """Puts the table of scores in the place of a list of maps, and returns the maps' keys."""
    classes = None
    for node in [each for each in graph.node if each.op_type == "ZipMap"]:
        output = next((each for each in graph.output if each.name == node.output[0]), None)
        if output is None:
            continue
        keys = classes = _classes(node)
        output.CopyFrom(
            helper.make_tensor_value_info(output.name, TensorProto.FLOAT, ["batch", len(keys or ()) or None])
        )
        node.CopyFrom(helper.make_node("Identity", [node.input[0]], [output.name], name=node.name))
    return classes


def classes_of(graph: onnx.GraphProto) -> tuple[Class, ...] | None:
    """The classes of the graph's only classifier, where one of its scores is an output."""
    found = [each for each in graph.node if each.domain == "ai.onnx.ml" and each.op_type.endswith("Classifier")]
    return _classes(found[0]) if len(found) == 1 else None


def _classes(node: onnx.NodeProto) -> tuple[Class, ...] | None:
    values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
        if values.get(name):
            return tuple(each.decode() if isinstance(each, bytes) else int(each) for each in values[name])
    return None
