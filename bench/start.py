"""How long a process takes from its start to its first answer, beside importing ONNX Runtime and loading the model.

`python -m bench.start ARTIFACT` prints both where it runs, as in an image.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.servers import _free_port, environment

_BARE = "import sys, numpy, onnxruntime as o; s = o.InferenceSession(sys.argv[1]); print(s.get_inputs()[0].name)"


def start_ratio(artifact: Path, path: str, python: str, count: int = 7) -> tuple[float, float]:
    """Median seconds of our start to the first answer of /predict, and of the bare import and session.

    `path`: the PYTHONPATH on which the service's code is."""
    ours, bare = [], []
    body = json.dumps(json.loads((artifact / "example.json").read_text())).encode()
    for _ in range(count):
        ours.append(_first_answer(artifact, path, python, body))
        begin = time.perf_counter()
        command = [python, "-c", _BARE, str(artifact / "model.onnx")]
        subprocess.run(command, cwd="/", env=environment(PYTHONPATH=path), check=True, stdout=subprocess.DEVNULL)
        bare.append(time.perf_counter() - begin)
    return statistics.median(ours), statistics.median(bare)


def _first_answer(artifact: Path, path: str, python: str, body: bytes) -> float:
    port = _free_port()
    begin = time.perf_counter()
    command = [python, "-m", "slipway.service", "--artifact", str(artifact), "--port", str(port), "--access", "open"]
    with subprocess.Popen(command, cwd="/", env=environment(PYTHONPATH=path)) as process:
        try:
            while True:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                try:
                    connection.request("POST", "/predict", body, {"content-type": "application/json"})
                    assert connection.getresponse().status == 200
                    return time.perf_counter() - begin
                except ConnectionRefusedError:
                    time.sleep(0.005)
                finally:
                    connection.close()
        finally:
            process.terminate()


if __name__ == "__main__":
    ours, bare = start_ratio(Path(sys.argv[1]), os.environ["PYTHONPATH"], sys.executable)
    print(json.dumps({"ours": ours, "bare": bare}))
