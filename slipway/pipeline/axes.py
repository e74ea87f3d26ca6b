"""The batch as the first axis of what a graph takes and answers."""

import onnx
from onnx import helper


def batch_first(graph: onnx.GraphProto) -> None:
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
