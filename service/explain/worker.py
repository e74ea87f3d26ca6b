"""`python -m slipway.service.explain.worker`: a process beside the service that explains answers, one at a time.

It reads requests as lines of JSON and answers each with one; it ends with its input. What it takes of a processor is
what everything else leaves over, so that no prediction waits for it. The model runs on the CPU here, whatever runs it
in the service.
"""

import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import orjson
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from slipway.service.artifact import Artifact
from slipway.service.errors import Refused
from slipway.service.explain.shapley import METHODS, Arrays, Sample, is_places
from slipway.service.inference.model import load_model
from slipway.service.samples.validation import Validator
from slipway.service.settings import Settings
from slipway.service.telemetry.logs import set_up

NICE = 19
ROUNDING = 1e-6  # of float32, in another order of additions

_log = logging.getLogger("slipway.explain")


class Explainer:
    """One model and the samples of `explanation.npz`, which stand in for what an explanation leaves out."""

    def __init__(self, artifact: Path) -> None:
        self._model = load_model(artifact)
        self._validator = Validator(self._model.signature, Settings())
        self._model.warm_up(self._validator.nested(self._model.artifact.read("example")).inputs)
        self._background = _background(self._model.artifact)
        self._size = self._model.batch
        if not self._is_alike_in_company():
            self._size = 1

    def explain(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to `inputs` (one sample), by `method`, for `target`, within about `seconds`. Raises Refused."""
        begun, signature = perf_counter(), self._model.signature
        samples = self._validator.nested({"inputs": request["inputs"]})
        whole = self._values(samples.inputs)
        target = _target(request["target"], whole, signature.labels, signature.task)
        inputs = {name: np.asarray(array[0], array.dtype) for name, array in samples.inputs.items()}
        for name, array in inputs.items():
            if array.dtype.kind != "O" and self._background[name].shape[1:] != array.shape:
                raise Refused(422, "no_baseline", f"{name}: training had samples of another size", field=name)
        sample = Sample(inputs, self._background)
        value = partial(self._value, target, whole)
        found = METHODS[request["method"]](sample, value, request["seconds"])
        attributions: dict[str, Any] = dict(found.credits)
        if sample.words:
            ((name, credits),) = found.credits.items()
            attributions = {name: {"words": sample.words, "values": credits}}
        labels = signature.labels
        return {
            "method": request["method"],
            "target": labels[target] if labels and target is not None else target,
            "value": float(value(samples.inputs)[0]),
            "baseline": found.baseline,
            "attributions": attributions,
            "standardError": found.error,
            "evaluations": found.evaluations,
            "seconds": perf_counter() - begun,
        }

    def _values(self, inputs: Arrays) -> np.ndarray:
        """The first output for a batch, flat; in runs as large as the model gains from, if they change no answer."""
        count, size = len(next(iter(inputs.values()))), self._size
        name = self._model.signature.outputs[0].name
        runs = [
            self._model.run({key: array[at : at + size] for key, array in inputs.items()})[name]
            for at in range(0, count, size)
        ]
        values = np.concatenate(runs)
        if not np.isfinite(values).all():
            raise Refused(422, "not_finite", f"{name}: the model's answer is not a finite number", field=name)
        return values.reshape(len(values), -1)

    def _is_alike_in_company(self) -> bool:
        """Whether samples are answered together as they are alone. A variant that is quantized dynamically has one
        scale for a whole batch: its credits would not add up."""
        if self._size == 1:
            return True
        example = self._validator.nested(self._model.artifact.read("example")).inputs
        if any(self._background[name].shape[1:] != array.shape[1:] for name, array in example.items()):
            return False
        samples = {name: np.concatenate([array, self._background[name][:1]]) for name, array in example.items()}
        together = self._values(samples)
        alone = [self._values({name: array[at : at + 1] for name, array in samples.items()})[0] for at in (0, 1)]
        return np.allclose(together, alone, rtol=ROUNDING, atol=ROUNDING)

    def _value(self, target: int | None, whole: np.ndarray, inputs: Arrays) -> np.ndarray:
        values = self._values(inputs).astype(np.float64)
        if target is not None:
            return values[:, target]
        # Of an embedding: how alike it is to the sample's own, as the cosine.
        norms = np.linalg.norm(values, axis=1) * np.linalg.norm(whole)
        alike: np.ndarray = values @ whole[0] / np.where(norms == 0, 1, norms)
        return alike


def _target(given: Any, whole: np.ndarray, labels: tuple[str, ...] | None, task: str) -> int | None:
    """Which of the answer's numbers is explained; None for all of an embedding."""
    size = whole.shape[1]
    if given is None:
        return None if task == "embedding" else int(whole[0].argmax())
    if labels and given in labels:
        return labels.index(given)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < size:
        return given
    raise Refused(422, "unknown_label", f"target: no class of this model, nor a number below {size}", field="target")


def _background(artifact: Artifact) -> Arrays:
    with np.load(artifact.path / "explanation.npz") as stored:
        held = {name: stored[name] for name in stored.files}
    found = {}
    for spec in artifact.signature.inputs:
        rows, mean = held[f"background:{spec.name}"], held[f"baseline:{spec.name}"]
        dtype = np.dtype(object if spec.dtype == "string" else spec.dtype)
        found[spec.name] = (mean[None] if is_places(mean.shape) else rows).astype(dtype)
    return found


def answer(explainer: Explainer, line: bytes) -> dict[str, Any]:
    """The answer to one line, or `refused`. What fails is told by type and place: a traceback quotes inputs."""
    try:
        return explainer.explain(orjson.loads(line))
    except Refused as refused:
        told = refused
    except InvalidArgument as error:  # as for a prediction
        told = Refused(422, "model_refused", f"the model can't take this input: {str(error).splitlines()[0][-200:]}")
    except Exception:
        _log.exception("an explanation failed")
        told = Refused(500, "internal", "the service failed; its log says why")
    return {"refused": {**vars(told)}}


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the service, which ends this process
    os.nice(NICE)
    with suppress(OSError):  # where memory ends this process does, and not the service
        Path("/proc/self/oom_score_adj").write_text("1000")
    set_up(Settings())
    explainer = Explainer(Path(sys.argv[1]))
    for line in sys.stdin.buffer:
        told = orjson.dumps(answer(explainer, line), option=orjson.OPT_SERIALIZE_NUMPY)
        sys.stdout.buffer.write(told + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
