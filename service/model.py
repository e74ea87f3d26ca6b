"""The artifact's model in ONNX Runtime: loaded once a process, checked against its signature, timed."""

import functools
import time
from pathlib import Path

import numpy as np
import onnxruntime

from service.artifact import Artifact, ArtifactError, load

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


class Model:
    """One inference session and what is known about its model.

    Owns the session. `seconds` is the median time of one sample, 0 until `warm_up` has measured it.
    """

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self.artifact, self.signature = artifact, artifact.signature
        self.seconds = 0.0
        self._session = _session(artifact.model, threads)
        self._outputs = [spec.name for spec in self.signature.outputs]
        self._check_signature()

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run validated inputs, batch first; returns every declared output, batch first. Blocks."""
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))

    def warm_up(self, inputs: dict[str, np.ndarray], budget: float = 0.2) -> None:
        """Run one sample until `budget` seconds are spent, five times at least, and note the median."""
        times: list[float] = []
        end = time.perf_counter() + budget
        while len(times) < 5 or (time.perf_counter() < end and len(times) < 50):
            begin = time.perf_counter()
            self.run(inputs)
            times.append(time.perf_counter() - begin)
        self.seconds = sorted(times)[len(times) // 2]

    def _check_signature(self) -> None:
        """Raises ArtifactError where signature.json and the graph disagree on names, types or sizes."""
        for kind, declared, found in (
            ("input", self.signature.inputs, self._session.get_inputs()),
            ("output", self.signature.outputs, self._session.get_outputs()),
        ):
            graph = {node.name: node for node in found}
            if kind == "input" and graph.keys() != {spec.name for spec in declared}:
                names = ", ".join(sorted(graph))
                raise ArtifactError(f"signature.json: the inputs of model.onnx are {names}")
            for spec in declared:
                node = graph.get(spec.name)
                if node is None:
                    raise ArtifactError(f"signature.json: model.onnx has no {kind} {spec.name!r}")
                if _DTYPES.get(node.type) != spec.dtype:
                    raise ArtifactError(f"signature.json: {spec.name} is {spec.dtype}, in model.onnx {node.type}")
                sizes = zip(spec.shape, node.shape, strict=False)
                fixed = any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in sizes)
                if fixed or len(spec.shape) != len(node.shape):
                    shapes = f"{list(spec.shape)}, in model.onnx {node.shape}"
                    raise ArtifactError(f"signature.json: {spec.name} has shape {shapes}")


@functools.cache
def load_model(folder: Path, threads: int = 1) -> Model:
    """Verify the artifact's hashes and load its model, once for each folder in a process.

    Raises ArtifactError with the reason where a file is missing, damaged or not what the signature says.
    """
    return Model(load(folder), threads)


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin while they wait take the cores from the server beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        reason = str(error).splitlines()[0]
        raise ArtifactError(f"{path.name}: ONNX Runtime cannot load it: {reason}") from error
