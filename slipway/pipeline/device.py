"""Speed on hardware that the model's own environment can't use: another Python measures there."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slipway.pipeline.data import Inputs, write_inputs
from slipway.pipeline.errors import PipelineError
from slipway.pipeline.measure import Timing

SERVED_BY = "cuda"
SAMPLES = 256


@dataclass(frozen=True, kw_only=True)
class Device:
    """`timings` with the provider that serves, `tensorrt` the median ms of a sample where TensorRT is installed."""

    name: str
    timings: dict[str, Timing]
    tensorrt: dict[str, float]


def measured(timer: list[str], paths: dict[str, Path], inputs: Inputs, work: Path) -> Device:
    """What the command `timer FOLDER` found of the models. Raises PipelineError where it found nothing."""
    work.mkdir()
    few = {name: array[:SAMPLES] for name, array in inputs.items()}
    write_inputs(work / "inputs.npz", few)
    (work / "models.json").write_text(json.dumps({name: str(path) for name, path in paths.items()}), encoding="utf-8")
    done = subprocess.run([*timer, str(work)], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
        raise PipelineError(f"this machine has a GPU, but the variants can't be timed on it: {said}")
    answer: dict[str, Any] = json.loads((work / "timings.json").read_bytes())
    found = answer["providers"]
    if SERVED_BY not in found:
        raise PipelineError(f"this machine has a GPU, but {SERVED_BY} can't use it: {answer['without'][SERVED_BY]}")
    return Device(
        name=answer["device"],
        timings={name: _timing(each) for name, each in found[SERVED_BY].items()},
        tensorrt={name: float(np.median(each["rounds"])) for name, each in found.get("tensorrt", {}).items()},
    )


def _timing(found: dict[str, Any]) -> Timing:
    rates = {int(size): rate for size, rate in found["perSecond"].items()}
    return Timing(
        calls=np.array(found["calls"]),
        rounds=np.array(found["rounds"]),
        per_second=rates,
        all_threads=max(rates.values()),
        memory=None,
    )
