"""Times models on the GPU of the machine that builds, in the environment that serves on GPUs.

`python -m slipway.ops.models.gpu FOLDER` is run by the pipeline where `builds.py` says so: FOLDER holds `inputs.npz`
and `models.json`, {variant: file}; the answer is `timings.json`: see `slipway/pipeline/device.py`.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnxruntime as ort

PROVIDERS = ("cuda", "tensorrt")


def is_here() -> bool:
    """Whether this machine has an NVIDIA GPU that its driver knows."""
    return shutil.which("nvidia-smi") is not None and any(Path("/dev").glob("nvidia[0-9]*"))


def lock() -> Path:
    """What serves on a GPU: the models are timed as they will be run."""
    from slipway.infra.runtime import ONNX

    return ONNX.lock("nvidia")


def timed(folder: Path, session: Callable[[str, str, int], ort.InferenceSession], device: str) -> dict[str, Any]:
    """{device, providers: {provider: {variant: {rounds, perSecond}}}}, of the providers that really run all models.

    `session` makes one of a file on a provider, or raises where another would run it. Raises RuntimeError where none
    does.
    """
    from slipway.pipeline.data import read_inputs  # late, as the command needs no NumPy
    from slipway.pipeline.measure import on_device

    models = json.loads((folder / "models.json").read_bytes())
    inputs = read_inputs(folder / "inputs.npz")
    found, reasons = {}, {}
    for provider in PROVIDERS:
        try:
            sessions = {name: session(file, provider, 1) for name, file in models.items()}
            found[provider] = on_device(sessions, inputs)
        except Exception as error:  # a package or library that is not here, or an operator that it lacks
            reasons[provider] = " ".join(str(error).split())[:300]
    if not found:
        raise RuntimeError("; ".join(f"{provider}: {why}" for provider, why in reasons.items()))
    return {"device": device, "providers": found, "without": reasons}


def main() -> None:
    from slipway.service.inference.providers import session

    folder = Path(sys.argv[1])
    (folder / "timings.json").write_text(json.dumps(timed(folder, session, _device())), encoding="utf-8")


def _device() -> str:
    import pynvml

    pynvml.nvmlInit()
    return str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)))


if __name__ == "__main__":
    main()
