"""What a graph takes and answers, put into the form that is served: tensors with the batch first, the judged one first.

Only the graph's edges change: how it computes its answers stays.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import onnx
from onnx import TensorProto, helper, numpy_helper

from slipway.pipeline.classes import Class
from slipway.pipeline.errors import BadInput

WORDS = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING)
OPSET = 17
SEPARATE_WEIGHTS = 4  # the IR version since which weights need not be inputs
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"  # slim images have no other; either knows no language


@dataclass
class Form:
    """`kept`: places of the outputs that are served among those that there were; `classes` in the order of the judged
    output, None where the graph does not name them; `notes`: what was left out and why."""

    kept: list[int]
    classes: tuple[Class, ...] | None = None
    notes: list[str] = field(default_factory=list)


def put_in_form(proto: onnx.ModelProto, task: str, judged: str | None) -> Form:
    """Changes `proto` in place. `judged`: the output that model.yaml names, else the first or, of a classifier as
    scikit-learn's converter writes it, the one of the scores.

    Raises BadInput where that is none of the outputs, or can't be told.
    """
    graph = proto.graph
    constants = {each.name for each in graph.initializer}
    for given in [each for each in graph.input if each.name in constants]:  # the oldest files list weights as inputs
        graph.input.remove(given)
    proto.ir_version = max(proto.ir_version, SEPARATE_WEIGHTS)
    if all(each.domain not in ("", "ai.onnx") for each in proto.opset_import):  # nodes of ONNX's own may be added
        proto.opset_import.append(helper.make_opsetid("", OPSET))
    for node in _nodes(graph, "StringNormalizer"):
        _set_locale(node)
    _require_inference(graph)
    _name_apart(graph)
    before = [each.name for each in graph.output]
    classes = _without_maps(graph) or _classifier(graph)
    notes = []
    for output in [each for each in graph.output if not each.type.HasField("tensor_type")]:
        if output.name != judged and len(graph.output) > 1:
            notes.append(f"output {output.name} is left out: it is no tensor")
            graph.output.remove(output)
    first = _judged(graph, task, judged, notes)
    outputs = sorted(graph.output, key=lambda each: each.name != first)
    copies = [onnx.ValueInfoProto.FromString(each.SerializeToString()) for each in outputs]
    del graph.output[:]
    graph.output.extend(copies)
    _batch_first(graph)
    return Form([before.index(each.name) for each in copies], classes, notes)


def _require_inference(graph: onnx.GraphProto) -> None:
    true = {
        each.name
        for each in graph.initializer
        if each.data_type == TensorProto.BOOL and numpy_helper.to_array(each).all()
    }
    training = [
        node
        for node in _nodes(graph, "BatchNormalization")
        if any(each.name == "training_mode" and each.i for each in node.attribute)
    ]
    training += [node for node in _nodes(graph, "Dropout") if true.intersection(node.input[2:])]
    if training:
        (node, *_) = training
        raise BadInput(
            f"node {node.name or node.output[0]} of the model, a {node.op_type}, is in training mode, where answers "
            "depend on chance or on the samples beside. Export the model for inference (PyTorch: model.eval(); Keras: "
            "training=False)"
        )


def _name_apart(graph: onnx.GraphProto) -> None:
    """Nodes of one name lose it; they are only names for people."""
    taken: set[str] = set()
    for node in graph.node:
        if node.name in taken:
            node.name = ""
        taken.add(node.name)


def _judged(graph: onnx.GraphProto, task: str, judged: str | None, notes: list[str]) -> str:
    names: list[str] = [each.name for each in graph.output]
    if judged is not None:
        if judged not in names:
            raise BadInput(f"model.yaml: output: the model has no output {judged}; it has {', '.join(names)}")
        return judged
    if task != "classification" or not _is_label(graph.output[0]):
        return names[0]
    scores: list[str] = [each.name for each in graph.output if each.type.tensor_type.elem_type in (1, 10, 11)]
    if len(scores) > 1:
        raise BadInput(
            f"the model's first output {names[0]} is a label, and of {', '.join(scores)} any may hold the scores of "
            "the classes; name it in model.yaml, as output"
        )
    if not scores:
        return names[0]
    graph.output.remove(graph.output[0])
    notes.append(f"output {names[0]} is left out: it is the class that {scores[0]} tells")
    return scores[0]


def _is_label(output: onnx.ValueInfoProto) -> bool:
    """Whether it is one class a sample."""
    kind = output.type.tensor_type
    return kind.elem_type in WORDS and (not kind.HasField("shape") or len(kind.shape.dim) <= 1)


def _without_maps(graph: onnx.GraphProto) -> tuple[Class, ...] | None:
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


def _classifier(graph: onnx.GraphProto) -> tuple[Class, ...] | None:
    """The classes of the graph's only classifier, where one of its scores is an output."""
    found = [each for each in graph.node if each.domain == "ai.onnx.ml" and each.op_type.endswith("Classifier")]
    return _classes(found[0]) if len(found) == 1 else None


def _classes(node: onnx.NodeProto) -> tuple[Class, ...] | None:
    values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
        if values.get(name):
            return tuple(each.decode() if isinstance(each, bytes) else int(each) for each in values[name])
    return None


def _batch_first(graph: onnx.GraphProto) -> None:
    """Moves the batch to the front where other inputs tell by its name that it is another axis: a network's state."""
    symbols = {each.type.tensor_type.shape.dim[0].dim_param for each in graph.input if _rank(each)} - {""}
    if len(symbols) != 1:
        return
    (batch,) = symbols
    first: list[onnx.NodeProto] = []
    last: list[onnx.NodeProto] = []
    for value, is_input in [*((each, True) for each in graph.input), *((each, False) for each in graph.output)]:
        sizes = [each.dim_param for each in value.type.tensor_type.shape.dim]
        if len(sizes) < 2 or sizes.count(batch) != 1 or sizes[0] == batch:
            continue
        at = sizes.index(batch)
        front = [at, *(each for each in range(len(sizes)) if each != at)]
        inner = f"{value.name}/batch_at_{at}"
        rewire(graph, value.name, inner)
        if is_input:
            back = [front.index(each) for each in range(len(sizes))]
            first.append(helper.make_node("Transpose", [value.name], [inner], name=f"{inner}/turned", perm=back))
        else:
            last.append(helper.make_node("Transpose", [inner], [value.name], name=f"{inner}/turned", perm=front))
        dims = [
            onnx.TensorShapeProto.Dimension.FromString(d.SerializeToString()) for d in value.type.tensor_type.shape.dim
        ]
        del value.type.tensor_type.shape.dim[:]
        value.type.tensor_type.shape.dim.extend(dims[each] for each in front)
    nodes = [*first, *graph.node, *last]
    copies = [onnx.NodeProto.FromString(each.SerializeToString()) for each in nodes] if first or last else []
    if copies:
        del graph.node[:]
        graph.node.extend(copies)


def rewire(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Renames a tensor at the nodes that use or make it, in inner graphs too."""
    for node in graph.node:
        node.input[:] = [new if each == old else each for each in node.input]
        node.output[:] = [new if each == old else each for each in node.output]
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                if old not in _own(inner):
                    rewire(inner, old, new)


def _own(graph: onnx.GraphProto) -> set[str]:
    """The tensors that a graph makes itself."""
    made = {name for node in graph.node for name in node.output}
    return made | {each.name for each in (*graph.input, *graph.initializer)}


def _rank(value: onnx.ValueInfoProto) -> int:
    return len(value.type.tensor_type.shape.dim)


def _nodes(graph: onnx.GraphProto, operator: str) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        if node.op_type == operator:
            yield node
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from _nodes(inner, operator)


def _set_locale(node: onnx.NodeProto) -> None:
    """English, the default, is what all that know no language do alike."""
    given = next((each for each in node.attribute if each.name == "locale"), None)
    if given is not None and not given.s.startswith((b"en", b"C")):
        return
    if given is not None:
        node.attribute.remove(given)
    node.attribute.append(helper.make_attribute("locale", LOCALE))
