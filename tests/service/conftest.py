"""Artifacts of tiny models, and real server processes on them."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pytest
from slipway.infra.platforms.local.supervisor import new_counters
from slipway.service.artifact import seal
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings

from tests.callers import access, entry
from tests.service.credentials import EXPIRED, JWT, PAST

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"

MODELS = {
    "classifier": {
        "task": "classification",
        "inputs": [{"name": "features", "dtype": "float32", "shape": [None, 4], "minimum": -10.0, "maximum": 10.0}],
        "outputs": [{"name": "probabilities", "dtype": "float32", "shape": [None, 3]}],
        "labels": ["low", "middle", "high"],
    },
    "linear": {
        "task": "regression",
        "inputs": [{"name": "x", "dtype": "float32", "shape": [None, 1], "minimum": None, "maximum": None}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": [None, 1]}],
        "labels": None,
    },
    "pair": {
        "task": "regression",
        "inputs": [{"name": name, "dtype": "float32", "shape": [None, 2]} for name in "ab"],
        "outputs": [{"name": "sum", "dtype": "float32", "shape": [None, 2]}],
        "labels": None,
    },
    "lookup": {
        "task": "regression",
        "inputs": [{"name": "ids", "dtype": "int64", "shape": [None, 2]}],
        "outputs": [{"name": "values", "dtype": "float32", "shape": [None, 2]}],
        "labels": None,
    },
    "echo": {
        "task": "regression",
        "inputs": [{"name": "text", "dtype": "string", "shape": [None, 1]}],
        "outputs": [{"name": "same", "dtype": "string", "shape": [None, 1]}],
        "labels": None,
    },
    "loop": {
        "task": "regression",
        "inputs": [{"name": "turns", "dtype": "int64", "shape": [None, 1]}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": [None, 1]}],
        "labels": None,
    },
}
EXAMPLES = {
    "classifier": {"features": [0.5, 1.0, -0.25, 2.0]},
    "linear": {"x": [3.0]},
    "pair": {"a": [1, 2], "b": [3, 4]},
    "lookup": {"ids": [3, 4]},
    "echo": {"text": ["hello"]},
    "loop": {"turns": [2000]},  # some milliseconds: it runs beside the event loop
}


# Training samples, which stand in for what an explanation leaves out; the others are not explained.
BACKGROUNDS = {
    "classifier": [[0.0, 0.0, 0.0, 0.0], [1.0, -1.0, 1.0, -1.0]],
    "loop": [[1]],
}


def runtime(folder: Path, inputs: dict[str, list]) -> list[np.ndarray]:
    """What ONNX Runtime itself answers to a batch."""
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    dtypes = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(string)": object}
    kinds = {node.name: dtypes[node.type] for node in session.get_inputs()}
    return session.run(None, {name: np.array(values, kinds[name]) for name, values in inputs.items()})


def make_artifact(folder: Path, name: str) -> Path:
    """A sealed artifact of one of MODELS."""
    folder.mkdir(parents=True)
    shutil.copy(DATA / f"{name}.onnx", folder / "model.onnx")
    signature = {"name": name, **MODELS[name]}
    outputs = runtime(folder, {key: [value] for key, value in EXAMPLES[name].items()})
    response = {"outputs": {signature["outputs"][0]["name"]: outputs[0][0].tolist()}}
    if signature["labels"]:
        response["label"] = signature["labels"][int(outputs[0][0].argmax())]
    (folder / "signature.json").write_text(json.dumps(signature))
    (folder / "example.json").write_text(json.dumps({"inputs": EXAMPLES[name]}))
    (folder / "example.response.json").write_text(json.dumps(response))
    if name in BACKGROUNDS:
        background = np.array(BACKGROUNDS[name])
        key = signature["inputs"][0]["name"]
        np.savez(folder / "explanation.npz", **{f"background:{key}": background, f"baseline:{key}": background[0]})
    seal(folder)
    return folder


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One artifact of each tiny model; not to be changed."""
    return {name: make_artifact(tmp_path_factory.mktemp(name) / "artifact", name) for name in MODELS}


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A classifier's artifact that the test may damage."""
    return make_artifact(tmp_path / "artifact", "classifier")


@pytest.fixture(scope="session")
def client_of(artifacts: dict[str, Path]) -> Callable[..., httpx.AsyncClient]:
    """Makes a client that talks to the application in this process."""

    def client(name: str, **settings: object) -> httpx.AsyncClient:
        app = App(load_model(artifacts[name]), Settings(**{"access": "open"} | settings))
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")

    return client


class Worker:
    """A server process on a shared listening socket, as a supervisor starts it."""

    def __init__(
        self,
        folder: Path,
        listener: socket.socket,
        environment: dict[str, str],
        *options: str,
        inherits: Sequence[int] = (),
    ) -> None:
        environment = {"SLIPWAY_ACCESS": "open"} | environment
        metrics = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.metrics = f"http://127.0.0.1:{metrics.getsockname()[1]}/metrics"
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ready, ready_end = os.pipe()
        parent_end, self._parent = os.pipe()
        descriptors = (listener.fileno(), metrics.fileno(), ready_end, parent_end, *inherits)
        command = [sys.executable, "-m", "slipway.service", "--artifact", folder, "--fd", str(listener.fileno())]
        command += ["--metrics-fd", str(metrics.fileno())]
        command += ["--ready-fd", str(ready_end), "--parent-fd", str(parent_end), *options]
        self.process = subprocess.Popen(
            command, pass_fds=descriptors, cwd=ROOT, env=os.environ | environment, stderr=subprocess.PIPE, text=True
        )
        metrics.close()
        os.close(ready_end)
        os.close(parent_end)
        with open(ready, "rb") as pipe:
            self.ready = pipe.read()

    def leave(self) -> None:
        """Let go of the pipe, as a supervisor does that is killed."""
        if self._parent >= 0:
            os.close(self._parent)
            self._parent = -1

    def end(self) -> tuple[int, str]:
        """The exit code and what stood on stderr, at most 10 s later."""
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors

    def close(self) -> None:
        self.leave()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        yield listener


@pytest.fixture
def start(listener: socket.socket) -> Iterator[Callable[..., Worker]]:
    """Starts workers on one socket, up to four that count in `counters`, and ends what is left of them."""
    workers: list[Worker] = []

    def start(
        folder: Path, *options: str, counters: int | None = None, slot: int | None = None, **environment: str
    ) -> Worker:
        inherits = () if counters is None else (counters,)
        if counters is not None:
            environment["SLIPWAY_COUNTERS"] = f"{counters}:{len(workers) if slot is None else slot}:4"
        workers.append(Worker(folder, listener, environment, *options, inherits=inherits))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def counters() -> Iterator[int]:
    """Memory for four workers that count together, as the supervisor hands it on."""
    descriptor = new_counters(4)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def access_file(tmp_path: Path) -> str:
    """An access file that lets the holder of the tests' key in, and nobody else."""
    file = tmp_path / "access.json"
    file.write_text(access())
    file.chmod(0o600)
    return str(file)


@pytest.fixture(scope="session")
def peers() -> str:
    """The python of the environment with the clients and checkers of peers.in; made on first use."""
    command = [sys.executable, "-m", "slipway.cli", "venv", "tests/service/peers.txt"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture
def guarded(artifacts, tmp_path):
    """The application of a closed service: keys, one of them expired, and tokens."""
    file = tmp_path / "access.json"
    file.write_text(access(keys=[entry(), entry("old", EXPIRED, expires=PAST)], jwt=JWT))
    file.chmod(0o600)
    app = App(load_model(artifacts["linear"]), Settings(access=str(file)))
    app.file = file
    return app
