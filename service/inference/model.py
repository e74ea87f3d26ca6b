"""The artifact's model in ONNX Runtime: loaded once a process, checked against its signature, timed."""

import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import onnxruntime
from slipway.service.artifact import Artifact, ArtifactError, load
from slipway.service.inference.providers import session

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
    "tensor(string)": "string",
}
_BATCHES = (4, 16, 32)
# Bringing a request into a batch and its answer out of it, measured with a model that does nothing.
_BATCHING_SECONDS = 20e-6
_ALIKE = 1e-3


class Model:
    """One inference session and what is known about its model.

    Owns the session. `seconds` is the median time of one sample and `batch` how many samples of different requests
    are worth running at once, 1 for none; they are 0 and 1 until `warm_up` has measured them.
    """

    def __init__(self, artifact: Artifact, provider: str = "cpu", threads: int = 1) -> None:
        self.artifact, self.signature = artifact, artifact.signature
        self.seconds, self.batch = 0.0, 1
        self._session = session(str(artifact.model), provider, threads)
        self._outputs = [spec.name for spec in self.signature.outputs]
        self._check_signature()
        self._run = self._run_on_cpu if provider == "cpu" else self._run_on_device

    def run(
        self, inputs: dict[str, np.ndarray], options: onnxruntime.RunOptions | None = None
    ) -> dict[str, np.ndarray]:
        """Run validated inputs, batch first; returns every declared output, batch first. Blocks.

        Raises ONNX Runtime's exceptions; one of them where `options.terminate` is set meanwhile.
        """
        if self.signature.alone and len(next(iter(inputs.values()))) > 1:
            return self._run_alone(inputs, options)
        return dict(zip(self._outputs, self._run(inputs, options), strict=True))

    def warm_up(self, inputs: dict[str, np.ndarray], budget: float = 0.06) -> None:
        """Run one sample, then growing batches of it, for about `budget` seconds, and note what was measured."""
        self.run(inputs)
        self.seconds = _median_seconds(partial(self.run, inputs), budget / 4)
        free = all(spec.shape[0] is None for spec in (*self.signature.inputs, *self.signature.outputs))
        if not free or self.signature.alone or not self._is_per_sample(inputs):
            return
        best = self.seconds
        for size in _BATCHES:
            if best * size > budget:
                return
            many = {name: np.repeat(array, size, axis=0) for name, array in inputs.items()}
            each = _median_seconds(partial(self.run, many), budget / 4) / size + _BATCHING_SECONDS
            if each > 0.8 * best:
                return
            self.batch, best = size, each

    def _run_alone(
        self, inputs: dict[str, np.ndarray], options: onnxruntime.RunOptions | None
    ) -> dict[str, np.ndarray]:
        count = len(next(iter(inputs.values())))
        each = [self._run({name: array[at : at + 1] for name, array in inputs.items()}, options) for at in range(count)]
        return {name: np.concatenate(parts) for name, parts in zip(self._outputs, zip(*each, strict=True), strict=True)}

    def _run_on_cpu(self, inputs: dict[str, np.ndarray], options: onnxruntime.RunOptions | None) -> list[np.ndarray]:
        return self._session.run(self._outputs, inputs, options)  # type: ignore[no-any-return]

    def _run_on_device(self, inputs: dict[str, np.ndarray], options: onnxruntime.RunOptions | None) -> list[np.ndarray]:
        """Bound inputs and outputs: one copy to the device and one back, whatever the graph does between."""
        binding = self._session.io_binding()
        for name, array in inputs.items():
            binding.bind_cpu_input(name, array)
        for name in self._outputs:
            binding.bind_output(name)
        self._session.run_with_iobinding(binding, options)
        return binding.copy_outputs_to_cpu()  # type: ignore[no-any-return]

    def _is_per_sample(self, inputs: dict[str, np.ndarray]) -> bool:
        """Whether a sample's answer is the same with others beside it; then requests may share a run."""
        alone = self.run(inputs)
        try:
            beside = self.run({name: np.concatenate([array, np.zeros_like(array)]) for name, array in inputs.items()})
        except Exception:  # onnxruntime's exceptions have no common base of their own
            return False
        return all(
            len(beside[name]) == 2 * len(values)
            and (values.dtype.kind != "f" or np.allclose(beside[name][: len(values)], values, _ALIKE, _ALIKE))
            for name, values in alone.items()
        )

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


@cache
def load_model(folder: Path, provider: str = "cpu", threads: int = 1) -> Model:
    """Verify the artifact's hashes and load its model, once for each folder in a process.

    Raises ArtifactError with the reason where a file is missing, damaged or not what the signature says.
    """
    return Model(load(folder), provider, threads)


def _median_seconds(call: Callable[[], object], budget: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 50):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2]
