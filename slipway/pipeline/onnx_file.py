"""ONNX files of any size: above what one protobuf message can hold, the weights lie in a file beside the graph."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import external_data_helper as external
from onnx import numpy_helper

from slipway.pipeline.room import LARGEST

INLINE = 1024  # bytes: what is smaller stays in the graph, where shape inference reads it


def save(proto: onnx.ModelProto, path: Path) -> None:
    """Writes a model that is whole in memory. The weights of a large one go to `<path>.data`, and out of `proto`."""
    if weight_bytes(proto) < LARGEST:
        onnx.save(proto, path)
        return
    for tensor in external._get_all_tensors(proto):
        if tensor.float_data:  # lists of numbers can't lie outside
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    data = path.with_name(f"{path.name}.data")
    data.unlink(missing_ok=True)
    onnx.save_model(
        proto, path, save_as_external_data=True, location=data.name, size_threshold=INLINE, convert_attribute=True
    )


def graph_of(path: Path) -> onnx.ModelProto:
    """The model without the weights that lie outside; saved in the same folder it finds them again."""
    return onnx.load(path, load_external_data=False)


def copy(source: Path, target: Path) -> None:
    """A copy of the graph and of the files beside it, which are `<target>.data` and so on then."""
    graph = graph_of(source)
    names = {name: f"{target.name}.data{at or ''}" for at, name in enumerate(_locations(graph))}
    for tensor in _outside(graph):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = names[entry.value]
    for name, own in names.items():
        shutil.copyfile(source.parent / name, target.with_name(own))
    if names:
        onnx.save(graph, target)
    else:
        shutil.copyfile(source, target)


def files(path: Path) -> list[Path]:
    """The graph's file, then those that hold its weights."""
    return [path, *(path.parent / name for name in _locations(graph_of(path)))]


def size(path: Path) -> int:
    """Bytes of the graph and its weights."""
    return sum(each.stat().st_size for each in files(path))


def content_hash(path: Path) -> str:
    """SHA-256 in hex over the graph and its weights."""
    digest = hashlib.sha256()
    for file in files(path):
        with file.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def weight_bytes(proto: onnx.ModelProto) -> int:
    """Bytes of all tensors, in the message or outside."""
    return sum(map(_bytes, external._get_all_tensors(proto)))


def _bytes(tensor: onnx.TensorProto) -> int:
    outside = next((int(each.value) for each in tensor.external_data if each.key == "length"), 0)
    words = len(tensor.float_data) + len(tensor.int32_data)
    doubles = len(tensor.int64_data) + len(tensor.double_data) + len(tensor.uint64_data)
    return outside + len(tensor.raw_data) + 4 * words + 8 * doubles + sum(map(len, tensor.string_data))


def _outside(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    return (each for each in external._get_all_tensors(proto) if external.uses_external_data(each))


def _locations(proto: onnx.ModelProto) -> list[str]:
    """Names of the files with weights. Raises ValueError for one outside the graph's folder: it is read and served."""
    names = list(dict.fromkeys(external.ExternalDataInfo(each).location for each in _outside(proto)))
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"its weights are to lie in {name}, outside its folder")
    return names
