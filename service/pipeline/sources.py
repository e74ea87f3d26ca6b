"""One function per framework: whatever `train` returned, as ONNX with the framework's own predictions."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from service.pipeline import runtime
from service.pipeline.data import Inputs
from service.pipeline.errors import BadInput


@dataclass(frozen=True)
class Source:
    """A model as ONNX; `predict` answers as the model did where it came from, one array per output."""

    framework: str
    proto: onnx.ModelProto
    predict: Callable[[Inputs], list[np.ndarray]]


def source_of(model: Any, folder: Path) -> Source:
    """Converts what `train` returned. Raises BadInput where it is no model or does not convert."""
    if isinstance(model, onnx.ModelProto):
        return _from_onnx(model)
    if isinstance(model, str | Path):
        return _from_file(folder / model)
    if any(base.__module__.partition(".")[0] == "keras" for base in type(model).__mro__):
        return _from_keras(model)
    raise BadInput(
        f"train() of {folder.name} returned {type(model).__module__}.{type(model).__name__}; "
        "return a Keras model, an onnx.ModelProto or the path of an .onnx file"
    )


def _from_onnx(proto: onnx.ModelProto) -> Source:
    try:
        plain = runtime.session(proto.SerializeToString(), optimized=False)
    except Exception as error:
        raise BadInput(f"ONNX Runtime does not load the model: {_first_line(error)}") from error
    return Source("onnx", proto, lambda inputs: runtime.predict(plain, inputs))


def _from_file(path: Path) -> Source:
    if not path.is_file():
        raise BadInput(f"train() named the model file {path}, which is missing")
    try:
        return _from_onnx(onnx.load(path))
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"{path} is not an ONNX model: {_first_line(error)}") from error


def _from_keras(model: Any) -> Source:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            model.export(path, format="onnx", verbose=False)
        except Exception as error:
            raise BadInput(f"Keras does not export the model to ONNX: {_first_line(error)}") from error
        proto = onnx.load(path)
    foreign = [node for node in proto.graph.node if node.domain in ("", "ai.onnx") and not _known(node)]
    if foreign:
        raise BadInput(
            f"ONNX has no operator {foreign[0].op_type} (node {foreign[0].name}); leave its layer out of the model "
            "that train() returns. Layers for augmentation belong around the model, not in it"
        )
    names = {given.name: layer.name for given, layer in zip(proto.graph.input, model.inputs, strict=True)}
    names |= {given.name: name for given, name in zip(proto.graph.output, model.output_names, strict=True)}
    _rename(proto.graph, names)

    def predictions(inputs: Inputs) -> list[np.ndarray]:
        ordered = [inputs[each.name] for each in model.inputs]
        answer = model.predict(ordered if len(ordered) > 1 else ordered[0], batch_size=runtime.CHUNK, verbose=0)
        return list(answer.values()) if isinstance(answer, dict) else answer if isinstance(answer, list) else [answer]

    return Source("keras", proto, predictions)


def _known(node: onnx.NodeProto) -> bool:
    with contextlib.suppress(onnx.defs.SchemaError):
        onnx.defs.get_schema(node.op_type)
        return True
    return False


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Gives tensors other names in place, also in subgraphs; one that has such a name already moves out of the way."""
    new = {old: name for old, name in names.items() if old != name}
    mapping = {name: f"{name}/inner" for name in new.values() if name not in new} | new
    for tensor in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        tensor.name = mapping.get(tensor.name, tensor.name)
    for node in graph.node:
        node.input[:] = [mapping.get(name, name) for name in node.input]
        node.output[:] = [mapping.get(name, name) for name in node.output]
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                _rename(inner, names)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:400]
