"""More than sixty graphs that exporters, people and other tools really write: whole model folders, by name.

Run in the pipeline's environment: all builds happen in one process, with short timings.
"""

import json
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

ROWS = 80
node, value = helper.make_node, helper.make_tensor_value_info
random = np.random.default_rng(3)
X = random.normal(size=(ROWS, 4)).astype("f")
W = random.normal(size=(4, 3)).astype("f")
MATMUL = node("MatMul", ["x", "w"], ["y"])
IN, OUT = value("x", T.FLOAT, ["n", 4]), value("y", T.FLOAT, ["n", 3])


@dataclass
class Odd:
    """A graph with its data. `after` changes the written folder."""

    nodes: list[Any] = field(default_factory=lambda: [MATMUL])
    weights: dict[str, Any] = field(default_factory=lambda: {"w": W})
    inputs: list[Any] = field(default_factory=lambda: [IN])
    outputs: list[Any] = field(default_factory=lambda: [OUT])
    data: dict[str, np.ndarray] = field(default_factory=lambda: {"x": X})
    width: int = 3
    opset: int = 17
    ir: int = 8
    domains: tuple[str, ...] = ()
    functions: tuple[Any, ...] = ()
    yaml: str = "task: regression\nmetric: rmse\nmaximum: 1000000\nbudget: 100\n"
    labels: np.ndarray | None = None
    after: Callable[[Path, onnx.ModelProto], None] = lambda folder, model: None
    largest: int = 2**31  # bytes of weights that one file is taken to hold

    def write(self, folder: Path) -> None:
        folder.mkdir()
        tensors = [each if isinstance(each, T) else tensor(name, each) for name, each in self.weights.items()]
        graph = helper.make_graph(self.nodes, "g", self.inputs, self.outputs, tensors)
        operators = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(each, 1) for each in self.domains)]
        model = helper.make_model(graph, opset_imports=operators, ir_version=self.ir, functions=self.functions)
        for each in model.opset_import:
            if each.domain == "ai.onnx.ml":
                each.version = 3
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        self.after(folder, model)
        labels = np.zeros((ROWS, self.width), "f") if self.labels is None else self.labels
        for name, part in (("training", slice(0, ROWS // 2)), ("evaluation", slice(ROWS // 2, ROWS))):
            arrays = {key: array[part] for key, array in self.data.items()}
            with zipfile.ZipFile(folder / f"{name}.npz", "w") as file:  # np.savez takes no array called file
                for key, array in {**arrays, "label": labels[part]}.items():
                    with file.open(f"{key}.npy", "w") as entry:
                        np.lib.format.write_array(entry, array)
        files = "model: model.onnx\ntraining: training.npz\nevaluation: evaluation.npz\n"
        (folder / "model.yaml").write_text(self.yaml + files)


def tensor(name: str, array: Any) -> T:
    return numpy_helper.from_array(np.asarray(array), name)


def typed(name: str, kind: int, to: str, data: Any, **more: Any) -> Odd:
    """A network whose input has another type, cast to float32 first."""
    nodes = [node("Cast", ["x"], ["f"], to=T.FLOAT), node("MatMul", ["f", "w"], ["y"])]
    return Odd(nodes, inputs=[value("x", kind, ["n", 4])], data={"x": data.astype(to)}, **more)


def branch(name: str, *nodes: Any, shape: Any = ("n", 3)) -> onnx.GraphProto:
    return helper.make_graph(nodes, name, [], [value(name, T.FLOAT, shape)])


def loop(count: str) -> list[Any]:
    """x doubled `count` times, then the product."""
    body = helper.make_graph(
        [node("Add", ["v", "v"], ["v2"]), node("Identity", ["go"], ["go2"])],
        "body",
        [value("i", T.INT64, []), value("go", T.BOOL, []), value("v", T.FLOAT, ["n", 4])],
        [value("go2", T.BOOL, []), value("v2", T.FLOAT, ["n", 4])],
    )
    return [node("Loop", [count, "yes", "x"], ["z"], body=body), node("MatMul", ["z", "w"], ["y"])]


def scan() -> list[Any]:
    body = helper.make_graph(
        [node("Add", ["s", "row"], ["s2"]), node("Identity", ["s2"], ["out"])],
        "body",
        [value("s", T.FLOAT, [3]), value("row", T.FLOAT, [3])],
        [value("s2", T.FLOAT, [3]), value("out", T.FLOAT, [3])],
    )
    return [MATMUL_H, node("Scan", ["zero", "h"], ["last", "y"], body=body, num_scan_inputs=1)]


MATMUL_H = node("MatMul", ["x", "w"], ["h"])
SECOND = value("z", T.FLOAT, ["n", 3])


def second(nodes: list[Any], output: Any, **weights: Any) -> Odd:
    """The plain product, and one more output."""
    return Odd([MATMUL, *nodes], {"w": W, **weights}, outputs=[OUT, output])


def inner(*nodes: Any, **weights: Any) -> Odd:
    """The product `h`, and what makes `y` of it."""
    return Odd([MATMUL_H, *nodes], {"w": W, **weights})


def classifier(nodes: list[Any], outputs: list[Any], more: str = "") -> Odd:
    linear = node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        coefficients=W.T.ravel().tolist(),
        intercepts=[0.0] * 3,
        classlabels_strings=["red", "green", "blue"],
        post_transform="SOFTMAX",
    )
    names = np.array(["red", "green", "blue"])[(X @ W).argmax(1)]
    yaml = f"task: classification\nmetric: accuracy\nminimum: 0.5\nbudget: 0.4\n{more}"
    return Odd(
        [linear, *nodes],
        {},
        outputs=outputs,
        domains=("ai.onnx.ml",),
        yaml=yaml,
        labels=names,
    )


def sequence(kind: Any) -> onnx.ValueInfoProto:
    return onnx.ValueInfoProto(name="z", type=helper.make_sequence_type_proto(kind))


def lstm() -> Odd:
    weights = {
        "W": random.normal(size=(1, 12, 4)).astype("f"),
        "R": random.normal(size=(1, 12, 3)).astype("f"),
        "front": np.array([0], "i8"),
        "none": np.array([0], "i8"),
    }
    nodes = [
        node("Unsqueeze", ["x", "front"], ["t"]),
        node("LSTM", ["t", "W", "R", "", "", "state", ""], ["", "h", ""], hidden_size=3),
        node("Squeeze", ["h", "none"], ["y"]),
        node("Mul", ["state", "state"], ["next"]),
    ]
    state = random.normal(size=(ROWS, 1, 3)).astype("f")
    states = [value(name, T.FLOAT, [1, "n", 3]) for name in ("state", "next")]
    return Odd(nodes, weights, [IN, states[0]], [OUT, states[1]], {"x": X, "state": state})


def weights_beside(keep: bool) -> Callable[[Path, onnx.ModelProto], None]:
    def change(folder: Path, model: onnx.ModelProto) -> None:
        onnx.save_model(
            model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
        )
        if not keep:
            (folder / "weights.bin").unlink()

    return change


def weights_elsewhere(folder: Path, model: onnx.ModelProto) -> None:
    weights_beside(keep=True)(folder, model)
    (folder / "weights.bin").rename(folder.parent / "weights.bin")
    for each in model.graph.initializer:
        for entry in each.external_data:
            entry.value = "../weights.bin" if entry.key == "location" else entry.value
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def edited(edit: Callable[[onnx.ModelProto], object]) -> Callable[[Path, onnx.ModelProto], None]:
    def change(folder: Path, model: onnx.ModelProto) -> None:
        edit(model)
        (folder / "model.onnx").write_bytes(model.SerializeToString())

    return change


def damaged(folder: Path, model: onnx.ModelProto) -> None:
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[: len(content) // 2])


def quantized(kind: str) -> Odd:
    scale, zero = np.float32(0.05), np.int8(0)
    weights = {"w8": np.clip(W / 0.05, -127, 127).astype("i1"), "s": scale, "z8": zero}
    if kind == "qdq":
        nodes = [
            node("QuantizeLinear", ["x", "s", "z8"], ["xq"]),
            node("DequantizeLinear", ["xq", "s", "z8"], ["xd"]),
            node("DequantizeLinear", ["w8", "s", "z8"], ["wd"]),
            node("MatMul", ["xd", "wd"], ["y"]),
        ]
    else:
        nodes = [
            node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
            node("MatMulInteger", ["xq", "w8", "xz", "z8"], ["h"]),
            node("Cast", ["h"], ["hf"], to=T.FLOAT),
            node("Mul", ["xs", "s"], ["all"]),
            node("Mul", ["hf", "all"], ["y"]),
        ]
    return Odd(nodes, weights)


FUNCTION = helper.make_function(
    "own", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
)
BN = {name: np.ones(3, "f") for name in "smbv"}
ODD: dict[str, Odd] = {
    **{f"opset {version}": Odd(opset=version) for version in (7, 8, 9, 10, 11, 12, 13, 18, 20, 21, 22, 23, 26, 28)},
    "IR 3, weights among the inputs": Odd(inputs=[IN, value("w", T.FLOAT, [4, 3])], ir=3, opset=8),
    "IR newer than the runtime's": Odd(ir=onnx.IR_VERSION),
    "If, both branches use one weight": Odd(
        [
            node("ReduceMax", ["x"], ["top"], keepdims=0),
            node("Greater", ["top", "limit"], ["big"]),
            node(
                "If",
                ["big"],
                ["y"],
                then_branch=branch("t", node("MatMul", ["x", "w"], ["t"])),
                else_branch=branch("e", node("MatMul", ["x", "w"], ["e"])),
            ),
        ],
        {"w": W, "limit": np.float32(1e9)},
    ),
    "If that differs by the batch": Odd(
        [
            node("ReduceSum", ["x"], ["sum"], keepdims=0),
            node("Greater", ["sum", "limit"], ["big"]),
            node(
                "If",
                ["big"],
                ["y"],
                then_branch=branch("t", node("MatMul", ["x", "w"], ["t"])),
                else_branch=branch("e", node("MatMul", ["x", "w"], ["p"]), node("Neg", ["p"], ["e"])),
            ),
        ],
        {"w": W, "limit": np.float32(0)},
    ),
    "Loop of a fixed length": Odd(loop("three"), {"w": W, "three": np.int64(3), "yes": np.bool_(True)}),
    "Loop as long as an input says": Odd(
        [
            node("ReduceMax", ["x"], ["top"], keepdims=0),
            node("Abs", ["top"], ["abs"]),
            node("Cast", ["abs"], ["count"], to=T.INT64),
            *loop("count"),
        ],
        {"w": W, "yes": np.bool_(True)},
    ),
    "Scan over the batch": Odd(scan(), {"w": W, "zero": np.zeros(3, "f")}),
    "float16 in and out": Odd(
        weights={"w": W.astype("f2")},
        inputs=[value("x", T.FLOAT16, ["n", 4])],
        outputs=[value("y", T.FLOAT16, ["n", 3])],
        data={"x": X.astype("f2")},
    ),
    "bfloat16": Odd(
        [node("Cast", ["x"], ["f"], to=T.FLOAT), node("MatMul", ["f", "w"], ["y"])],
        inputs=[value("x", T.BFLOAT16, ["n", 4])],
    ),
    "double": Odd(
        weights={"w": W.astype("f8")},
        inputs=[value("x", T.DOUBLE, ["n", 4])],
        outputs=[value("y", T.DOUBLE, ["n", 3])],
        data={"x": X.astype("f8")},
    ),
    "int8": typed("x", T.INT8, "i1", X * 20),
    "uint8": typed("x", T.UINT8, "u1", np.abs(X * 20)),
    "int32": typed("x", T.INT32, "i4", X * 20),
    "bool": typed("x", T.BOOL, "?", X > 0),
    "complex64": Odd([node("Identity", ["x"], ["y"])], {}, [value("x", T.COMPLEX64, ["n", 4])], [OUT]),
    "numbers of words into a table": Odd(
        [node("Gather", ["table", "x"], ["g"]), node("ReduceMean", ["g"], ["y"], axes=[1], keepdims=0)],
        {"table": random.normal(size=(20, 3)).astype("f")},
        [value("x", T.INT64, ["n", 4])],
        data={"x": random.integers(0, 20, (ROWS, 4))},
    ),
    "an index that the held-out data alone exceed": Odd(
        [node("Gather", ["table", "x"], ["g"]), node("ReduceMean", ["g"], ["y"], axes=[1], keepdims=0)],
        {"table": random.normal(size=(20, 3)).astype("f")},
        [value("x", T.INT64, ["n", 4])],
        data={"x": np.repeat(np.arange(ROWS)[:, None] // 3, 4, axis=1)},
    ),
    "text to text": Odd(
        [node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER")],
        {},
        [value("x", T.STRING, ["n"])],
        [value("y", T.STRING, ["n"])],
        {"x": np.array([f"Red {at}" for at in range(ROWS)])},
        width=1,
    ),
    "text to numbers": Odd(
        [
            node(
                "LabelEncoder",
                ["x"],
                ["f"],
                domain="ai.onnx.ml",
                keys_strings=["red 1", "red 2"],
                values_floats=[1.0, 2.0],
            ),
            node("MatMul", ["f", "w"], ["y"]),
        ],
        {"w": W[:1]},
        [value("x", T.STRING, ["n", 1])],
        data={"x": np.array([[f"red {at}"] for at in range(ROWS)])},
        domains=("ai.onnx.ml",),
    ),
    "a sequence as second output": second(
        [node("SequenceConstruct", ["y", "y"], ["z"])], sequence(helper.make_tensor_type_proto(T.FLOAT, ["n", 3]))
    ),
    "a sequence as only output": Odd(
        [MATMUL, node("SequenceConstruct", ["y"], ["z"])],
        outputs=[sequence(helper.make_tensor_type_proto(T.FLOAT, ["n", 3]))],
    ),
    "a sequence as input": Odd(
        [node("SequenceAt", ["x", "zero"], ["h"]), node("MatMul", ["h", "w"], ["y"])],
        {"w": W, "zero": np.int64(0)},
        [
            onnx.ValueInfoProto(
                name="x", type=helper.make_sequence_type_proto(helper.make_tensor_type_proto(T.FLOAT, ["n", 4]))
            )
        ],
    ),
    "an optional input": Odd(
        [node("OptionalGetElement", ["x"], ["h"]), node("MatMul", ["h", "w"], ["y"])],
        inputs=[
            onnx.ValueInfoProto(
                name="x", type=helper.make_optional_type_proto(helper.make_tensor_type_proto(T.FLOAT, ["n", 4]))
            )
        ],
    ),
    "an optional second output": second(
        [node("Optional", ["y"], ["z"])],
        onnx.ValueInfoProto(
            name="z", type=helper.make_optional_type_proto(helper.make_tensor_type_proto(T.FLOAT, ["n", 3]))
        ),
    ),
    "weights beside the file": Odd(after=weights_beside(keep=True)),
    "weights that are missing beside the file": Odd(after=weights_beside(keep=False)),
    "weights in another folder": Odd(after=weights_elsewhere),
    "weights above what one file holds": Odd(
        [MATMUL_H, node("MatMul", ["h", "w2"], ["y"])],
        {"w": random.normal(size=(4, 500)).astype("f"), "w2": random.normal(size=(500, 3)).astype("f")},
        after=weights_beside(keep=True),
        largest=4000,
    ),
    "all axes free": Odd(inputs=[value("x", T.FLOAT, ["n", "k"])], outputs=[value("y", T.FLOAT, ["n", "m"])]),
    "an output of unknown shape": Odd(outputs=[value("y", T.FLOAT, None)]),
    "an input of unknown shape": Odd(inputs=[value("x", T.FLOAT, None)]),
    "one symbol for two axes": Odd(
        [node("MatMul", ["x", "w"], ["y"])], inputs=[value("x", T.FLOAT, ["n", "n"])], outputs=[OUT]
    ),
    "a batch of 1 declared": Odd(inputs=[value("x", T.FLOAT, [1, 4])], outputs=[value("y", T.FLOAT, [1, 3])]),
    "a batch of 8 declared": Odd(inputs=[value("x", T.FLOAT, [8, 4])], outputs=[value("y", T.FLOAT, [8, 3])]),
    "a batch of 1 baked in": inner(node("Reshape", ["h", "to"], ["y"]), to=np.array([1, 3])),
    "a batch of 8 baked in": inner(node("Reshape", ["h", "to"], ["y"]), to=np.array([8, 3])),
    "a batch declared 1 in the output only": Odd(outputs=[value("y", T.FLOAT, [1, 3])]),
    "a state with the batch on another axis": lstm(),
    "an output with the batch on another axis": Odd(
        [MATMUL, node("Transpose", ["y"], ["z"], perm=[1, 0])], outputs=[OUT, value("z", T.FLOAT, [3, "m"])]
    ),
    "an input that holds nothing": Odd(
        [node("MatMul", ["x", "w"], ["y"])],
        {"w": np.zeros((0, 3), "f")},
        [value("x", T.FLOAT, ["n", 0])],
        data={"x": X[:, :0]},
    ),
    "an output that holds nothing": second(
        [node("Slice", ["y", "zero", "zero", "one"], ["z"])],
        value("z", T.FLOAT, ["n", 0]),
        zero=np.array([0]),
        one=np.array([1]),
    ),
    "an empty weight": inner(node("Concat", ["h", "none"], ["y"], axis=0), none=np.zeros((0, 3), "f")),
    "nodes of one name": Odd([node("MatMul", ["x", "w"], ["h"], name="a"), node("Relu", ["h"], ["y"], name="a")]),
    "two weights of one name": Odd(after=edited(lambda model: model.graph.initializer.append(tensor("w", W * 2)))),
    "two nodes write one tensor": Odd([MATMUL, MATMUL]),
    "names with / and :": Odd(
        [node("MatMul", ["in/x:0", "net/w:0"], ["out/y:0"])],
        {"net/w:0": W},
        [value("in/x:0", T.FLOAT, ["n", 4])],
        [value("out/y:0", T.FLOAT, ["n", 3])],
        {"in/x:0": X},
    ),
    "names of other alphabets and of Python": Odd(
        [node("MatMul", ["file", "вес"], ["ответ 1"])],
        {"вес": W},
        [value("file", T.FLOAT, ["n", 4])],
        [value("ответ 1", T.FLOAT, ["n", 3])],
        {"file": X},
    ),
    "a weight used twice": inner(
        node("Transpose", ["w"], ["wt"]), node("MatMul", ["h", "wt"], ["b"]), node("MatMul", ["b", "w"], ["y"])
    ),
    "quantized already, QDQ": quantized("qdq"),
    "quantized already, dynamic": quantized("dynamic"),
    "weights of 4 bits": Odd(
        [
            node("DequantizeLinear", ["w4", "s"], ["w"]),
            MATMUL,
        ],
        {"w4": helper.make_tensor("w4", T.INT4, [4, 3], [1, 2, -3, 4, 0, -1, 2, 3, 1, 1, -2, 5]), "s": np.float32(0.5)},
        opset=21,
        ir=10,
    ),
    "batch normalization in training": inner(
        node("BatchNormalization", ["h", "s", "b", "m", "v"], ["y", "rm", "rv"], training_mode=1), **BN
    ),
    "normalized by the batch, as parts": inner(
        node("ReduceMean", ["h"], ["mean"], axes=[0]), node("Sub", ["h", "mean"], ["y"])
    ),
    "dropout in training": inner(node("Dropout", ["h", "half", "on"], ["y"]), half=np.float32(0.5), on=np.bool_(True)),
    "noise": inner(node("RandomNormalLike", ["h"], ["r"]), node("Add", ["h", "r"], ["y"])),
    "an operator of a domain nobody knows": Odd([node("Magic", ["x"], ["y"], domain="acme")], domains=("acme",)),
    "an operator that ONNX lacks": Odd([node("Magic", ["x"], ["y"])]),
    "an operator of ONNX Runtime's own": inner(node("Gelu", ["h"], ["y"], domain="com.microsoft")),
    "a function of its own": Odd(
        [MATMUL_H, node("Twice", ["h"], ["y"], domain="own")], domains=("own",), functions=(FUNCTION,)
    ),
    "an input that nothing uses": Odd(inputs=[IN, value("idle", T.FLOAT, ["n", 2])], data={"x": X, "idle": X[:, :2]}),
    "a weight that nothing uses": Odd(weights={"w": W, "idle": W}),
    "an input as an output": Odd(outputs=[OUT, value("x", T.FLOAT, ["n", 4])]),
    "no node at all": Odd([], {}, outputs=[value("x", T.FLOAT, ["n", 4])], width=4),
    "no input at all": Odd([node("Identity", ["w"], ["y"])], inputs=[], data={}, outputs=[value("y", T.FLOAT, [4, 3])]),
    "a constant second output": second([node("Identity", ["w"], ["z"])], value("z", T.FLOAT, [4, 3])),
    "a constant second output of three": Odd(
        [MATMUL, node("Identity", ["w"], ["z"]), node("Neg", ["y"], ["last"])],
        outputs=[OUT, value("z", T.FLOAT, [4, 3]), value("last", T.FLOAT, ["n", 3])],
    ),
    "a mean over the batch as second output": second(
        [node("ReduceMean", ["y"], ["z"], keepdims=0)], value("z", T.FLOAT, [])
    ),
    "a mean over the batch as only output": Odd(
        [MATMUL_H, node("ReduceMean", ["h"], ["y"], keepdims=0)], outputs=[value("y", T.FLOAT, [])], width=1
    ),
    "an answer squeezed": Odd(
        [MATMUL_H, node("ReduceSum", ["h", "one"], ["t"]), node("Squeeze", ["t"], ["y"])],
        {"w": W, "one": np.array([1])},
        outputs=[value("y", T.FLOAT, None)],
        width=1,
    ),
    "as many rows as were found": second(
        [node("NonZero", ["y"], ["at"]), node("Transpose", ["at"], ["z"])], value("z", T.INT64, ["found", 2])
    ),
    "a label first, then scores": classifier([], [value("label", T.STRING, ["n"]), value("scores", T.FLOAT, ["n", 3])]),
    "a label first, then maps": classifier(
        [node("ZipMap", ["scores"], ["z"], domain="ai.onnx.ml", classlabels_strings=["red", "green", "blue"])],
        [
            value("label", T.STRING, ["n"]),
            sequence(helper.make_map_type_proto(T.STRING, helper.make_tensor_type_proto(T.FLOAT, []))),
        ],
    ),
    "a label first, then two scores": classifier(
        [node("Neg", ["scores"], ["z"])],
        [value("label", T.STRING, ["n"]), value("scores", T.FLOAT, ["n", 3]), SECOND],
    ),
    "a label first, then two scores, one named": classifier(
        [node("Neg", ["scores"], ["z"])],
        [value("label", T.STRING, ["n"]), value("scores", T.FLOAT, ["n", 3]), SECOND],
        "output: scores\n",
    ),
    "a judged output that is not there": classifier([], [value("scores", T.FLOAT, ["n", 3])], "output: logits\n"),
    "trees": Odd(
        [
            node(
                "TreeEnsembleRegressor",
                ["x"],
                ["y"],
                domain="ai.onnx.ml",
                n_targets=1,
                nodes_treeids=[0, 0, 0],
                nodes_nodeids=[0, 1, 2],
                nodes_featureids=[0, 0, 0],
                nodes_values=[0.0, 0.0, 0.0],
                nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
                nodes_truenodeids=[1, 0, 0],
                nodes_falsenodeids=[2, 0, 0],
                target_treeids=[0, 0],
                target_nodeids=[1, 2],
                target_ids=[0, 0],
                target_weights=[-1.0, 1.0],
            )
        ],
        {},
        outputs=[value("y", T.FLOAT, ["n", 1])],
        width=1,
        domains=("ai.onnx.ml",),
    ),
    "weights as Constant nodes": Odd([node("Constant", [], ["w"], value=tensor("w", W)), MATMUL], {}),
    "a sparse weight": Odd(
        weights={},
        after=edited(
            lambda model: model.graph.sparse_initializer.append(
                helper.make_sparse_tensor(tensor("w", np.ones(3, "f")), tensor("at", np.array([0, 4, 8])), [4, 3])
            )
        ),
    ),
    "an answer that is no number": inner(
        node("Sqrt", ["minus"], ["nan"]), node("Add", ["h", "nan"], ["y"]), minus=np.float32(-1)
    ),
    "a second answer that is infinite": second([node("Div", ["y", "nil"], ["z"])], SECOND, nil=np.float32(0)),
    "numbers too large for INT8 and FP16": Odd(weights={"w": W * np.float32(1e30)}),
    "a tensor that nothing makes": Odd([node("MatMul", ["gone", "w"], ["y"])]),
    "types that do not fit": Odd(weights={"w": W.astype("i8")}),
    "half a file": Odd(after=damaged),
    "five hundred nodes in a row": Odd(
        [
            MATMUL_H,
            *(node("Relu", [f"h{i}" if i else "h"], [f"h{i + 1}"]) for i in range(499)),
            node("Neg", ["h499"], ["y"]),
        ]
    ),
    "a declared shape that is wrong": Odd(outputs=[value("y", T.FLOAT, ["n", 7])]),
    "more axes declared than there are": Odd(outputs=[value("y", T.FLOAT, ["n", 3, 1])]),
}


def main(folder: Path, service: str, *names: str) -> None:
    """Builds some, or all, in `folder`, and prints by name how each ended: `built`, with the folder of the artifact and
    what is noted of FP32, or the kind of the refusal with its message. `service`: the command that starts one, as
    JSON."""
    from slipway.pipeline import measure, mixed_precision, served

    measure.FEWEST_ROUNDS, measure.TOTAL_SECONDS = 3, 0.0
    mixed_precision.SECONDS = 1.0
    served.SAMPLES = 20
    command = json.loads(service)
    found = {name: outcome(ODD[name], folder / str(at), command) for at, name in enumerate(names or ODD)}
    print(json.dumps(found))


def outcome(odd: Odd, folder: Path, service: list[str]) -> dict[str, Any]:
    from slipway.pipeline import onnx_file, room
    from slipway.pipeline.build import Wanted, build
    from slipway.pipeline.errors import PipelineError
    from slipway.pipeline.progress import Progress

    room.LARGEST = onnx_file.LARGEST = odd.largest
    odd.write(folder)
    work = folder.with_name(f"{folder.name}.work")
    work.mkdir()
    try:
        with open("/dev/null", "w") as nowhere:
            build(folder, work, Wanted(service=service), Progress("odd", nowhere))
        fp32 = json.loads((work / "artifact" / "report.json").read_bytes())["variants"][0]
        words = fp32["note"].removesuffix("reference").strip("; ")
        return {"end": "built", "words": words, "artifact": str(work / "artifact")}
    except PipelineError as error:
        return {"end": error.kind, "words": str(error).replace(f"{folder}/", "").replace(str(folder), "odd")}
    except Exception:
        return {"end": "failed", "words": traceback.format_exc()[-1500:]}
