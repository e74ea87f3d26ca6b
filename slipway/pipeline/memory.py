"""Peak memory of a model: what a process of its own needs to hold it and answer one sample."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from slipway.pipeline.data import Inputs, read_inputs, write_inputs

CALLS = 5


def peak_memory(models: list[Path], sample: Inputs) -> dict[Path, int]:
    """Bytes by model, each measured in a child of one fresh process, so that none inherits another's memory."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sample.npz"
        write_inputs(file, sample)
        command = [sys.executable, "-m", "slipway.pipeline.memory", str(file), *map(str, models)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return dict(zip(models, json.loads(answer.stdout), strict=True))


def _main(file: str, models: list[str]) -> None:
    from slipway.pipeline import runtime

    sample = read_inputs(Path(file))
    peaks = []
    for model in models:
        child = os.fork()
        if not child:
            running = runtime.session(Path(model))
            for _ in range(CALLS):
                running.run(None, sample)
            os._exit(0)
        _, status, usage = os.wait4(child, 0)
        peaks.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) if status == 0 else 0)
    print(json.dumps(peaks))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _main(sys.argv[1], sys.argv[2:])
