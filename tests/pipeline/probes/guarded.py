"""Run in the pipeline's environment: steps that end in each way; weights beside a graph; inputs that a step changes."""

import json
import os
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from slipway.pipeline import graph, guard, onnx_file, room
from slipway.pipeline.errors import BadInput
from slipway.pipeline.variants import make_variants
from tests.pipeline.probes.odd_graphs import IN, OUT, Odd, W, X, value


def abort() -> None:
    os.abort()


def hang() -> None:
    time.sleep(60)


def fail() -> None:
    raise ValueError("not\nthis")


def refuse() -> None:
    raise BadInput("not that")


def crashing(source: Path, target: Path) -> None:
    os.abort()


def baking(source: Path, target: Path) -> None:
    """As slimmers do: gives a free batch a number."""
    model = onnx.load(source)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 16
    onnx.save(model, target)


def wrong(source: Path, target: Path) -> None:
    model = onnx.load(source)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(W * 2, "w"))
    onnx.save(model, target)


def dropping(source: Path, target: Path) -> None:
    model = onnx.load(source)
    del model.graph.input[1]
    onnx.save(model, target)


def main(folder: Path) -> None:
    found = {step.__name__: ended(step) for step in (abort, fail, refuse, hang)}
    Odd(inputs=[IN, value("idle", onnx.TensorProto.FLOAT, ["n", 1])]).write(folder / "odd")
    source = folder / "source.onnx"
    source.write_bytes((folder / "odd" / "model.onnx").read_bytes())
    like = guard.guarded(graph.reference, source, {"x": X[:5], "idle": X[:5, :1]})
    graph.STEPS.clear()
    graph.STEPS.update({step.__name__: step for step in (crashing, baking, wrong, dropping)})
    found["optimize"] = graph.optimize(source, folder / "fp32.onnx", like)
    found["large"] = large(folder)
    print(json.dumps(found))


def ended(step) -> str:
    try:
        guard.guarded(step, seconds=1.0 if step is hang else guard.SECONDS)
        return "well"
    except (guard.Failed, BadInput) as error:
        return f"{type(error).__name__}: {error}"


def large(folder: Path) -> dict[str, object]:
    """A graph above the limit, which is small here: its files, and variants made lean."""
    onnx_file.LARGEST = room.LARGEST = 4000
    weights = {"w": np.ones((4, 500), "f"), "w2": np.ones((500, 3), "f")}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "w2"], ["y"])]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
    made = helper.make_graph(nodes, "g", [IN], [OUT], tensors)
    place = folder / "large"
    place.mkdir()
    onnx_file.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), place / "s.onnx")
    like = guard.guarded(graph.reference, place / "s.onnx", {"x": X[:5]})
    kinds = {
        target: [
            [each.name, each.note]
            for each in make_variants(place / "s.onnx", like, {"x": X}, target, None, "too large")
        ]
        for target in ("cpu", "nvidia")
    }
    onnx_file.copy(place / "fp32.onnx", folder / "artifact.onnx")
    return {
        "files": sorted(each.name for each in onnx_file.files(folder / "artifact.onnx")),
        "shared": sorted(each.name for each in onnx_file.files(place / "fp32.onnx")),
        "half": onnx_file.size(place / "fp16.onnx") / onnx_file.size(place / "s.onnx"),
        "variants": kinds,
    }
