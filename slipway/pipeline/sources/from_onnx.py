"""ONNX as it is: any exporter's file, its weights in it or beside it."""

from pathlib import Path

import onnx

from slipway.pipeline import onnx_file, room
from slipway.pipeline.errors import BadInput, shown
from slipway.pipeline.sources.base import Converted, first_line

PROTOBUF = 2**31


def load(path: Path) -> Converted:
    """The model in a file; one above protobuf's limit stays a file. Raises BadInput where it is none, lacks weights,
    or is too large for the memory here."""
    if (size := path.stat().st_size) >= PROTOBUF:
        raise BadInput(
            f"{shown(path)} has {size / 2**30:.1f} GiB, and one ONNX file may have less than 2 GiB: export it with its "
            "weights beside it (external data)"
        )
    try:
        files = onnx_file.files(path)
    except Exception as error:
        raise BadInput(f"{shown(path)} is not an ONNX model: {first_line(error)}") from error
    for file in files:
        if not file.is_file():
            raise BadInput(f"{shown(path)} has weights in {file.name}, which is missing beside it")
    size = onnx_file.size(path)
    room.lean(size, room.free())
    if size >= room.LARGEST:
        return Converted("onnx", path)
    try:
        return Converted("onnx", onnx.load(path))
    except Exception as error:
        raise BadInput(f"{shown(path)}: its weights can't be read: {first_line(error)}") from error
