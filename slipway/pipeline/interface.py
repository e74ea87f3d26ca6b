"""What a graph takes and answers, put into the form that is served: tensors with the batch first, the judged one first.

Only the graph's edges change: how it computes its answers stays.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import onnx
from onnx import TensorProto, helper, numpy_helper

from slipway.pipeline.axes import batch_first
from slipway.pipeline.classes import Class
from slipway.pipeline.errors import BadInput
from slipway.pipeline.graph_classes import classes_of, is_label, without_maps

OPSET = 17
SEPARATE_WEIGHTS = 4  # the IR version since which weights need not be inputs
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"  # slim images have no other; either knows no language


@dataclass
class Interface:
    """`kept`: places of the outputs that are served among those that there were; `classes` in the order of the judged
    output, None where the graph does not name them; `notes`: what was left out and why."""

    kept: list[int]
    classes: tuple[Class, ...] | None = None
    notes: list[str] = field(default_factory=list)


def put_in_form(proto: onnx.ModelProto, task: str, judged: str | None) -> Interface:
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
    classes = without_maps(graph) or classes_of(graph)
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
    batch_first(graph)
    return Interface([before.index(each.name) for each in copies], classes, notes)


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
    if task != "classification" or not is_label(graph.output[0]):
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
