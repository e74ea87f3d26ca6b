"""ONNX as it is: any exporter's file, or a graph made in model.py."""

from pathlib import Path

import onnx

from slipway.pipeline import runtime
from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.sources.base import Source, first_line

LARGEST = 2**31


def load(path: Path) -> Source:
    """The model in a file. Raises BadInput where it is none, or larger than one protobuf message can be."""
    size = path.stat().st_size
    if size >= LARGEST:
        raise BadInput(f"{shown(path)} has {size / 2**30:.1f} GiB; an ONNX file may have less than 2 GiB")
    try:
        proto = onnx.load(path)
    except Exception as error:
        raise BadInput(f"{shown(path)} is not an ONNX model: {first_line(error)}") from error
    return convert(proto)


def convert(proto: onnx.ModelProto) -> Source:
    """Answers of ONNX Runtime without any optimization are what the variants are compared with."""
    try:
        plain = runtime.session(proto.SerializeToString(), optimized=False)
    except Exception as error:
        raise BadInput(f"ONNX Runtime does not load the model: {first_line(error)}") from error
    return Source("onnx", proto, lambda inputs: runtime.predict(plain, inputs))
