"""Starts the servers that are compared, each as its own documentation says, and counts their processor time."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
WORKERS = 2
_START_SECONDS = 90
# Our side asks for a key, as `make up` starts it; whoever else does not look at it gets it as well.
KEY = "the-key-that-the-bench-s-own-client-sends"
ACCESS = {"keys": [{"name": "bench", "sha256": sha256(KEY.encode()).hexdigest()}], "signing": "5" * 64}


@dataclass(frozen=True, kw_only=True)
class Pythons:
    """Interpreters of the environments that the servers need."""

    service: str
    peers: str
    keras: str


@dataclass
class Server:
    """A running server and its processes."""

    name: str
    port: int
    root: psutil.Process

    def cpu(self) -> float:
        """Processor seconds of the server's processes so far, in nanoseconds' steps and with threads that have ended.

        psutil tells hundredths of a second, which is more than a short turn's noise. A process's clock is numbered as
        Linux's posix-timers.h has it.
        """
        processes = [self.root, *self.root.children(recursive=True)]
        return sum(time.clock_gettime(~process.pid << 3 | 2) for process in processes)


def pythons() -> Pythons:
    """Makes the environments where they are not there yet."""

    def python(lock: str) -> str:
        command = [sys.executable, "-m", "slipway.cli", "venv", lock]
        return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    return Pythons(
        service=python("service/requirements.txt"),
        peers=python("bench/requirements.txt"),
        keras=python("bench/keras.txt"),
    )


def environment(**more: str) -> dict[str, str]:
    """What servers run with: byte-code is kept, as in an image."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(ROOT), "WORKERS": str(WORKERS), "BENTOML_DO_NOT_TRACK": "True", **more}


def code_folder(folder: Path, python: str) -> Path:
    """The service's code as a release holds it, compiled."""
    from slipway.infra.runtime import ONNX  # not in an image, where bench.start runs too

    for file in ONNX.serving_code():
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    subprocess.run([python, "-m", "compileall", "-q", str(folder)], check=True)
    return folder


@contextmanager
def supervised(artifact: Path, code: Path, python: str) -> Iterator[Server]:
    """Our service as `make up` starts it: the local platform's supervisor with a process for each core."""
    run = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
    (run / "access.json").touch(0o600)
    (run / "access.json").write_text(json.dumps(ACCESS))
    environ = {"SLIPWAY_ACCESS": str(run / "access.json")}
    release = {"python": python, "module": "slipway.service", "code": str(code), "artifact": str(artifact)}
    release |= {"environment": environ, "workers": WORKERS}
    port = _free_port()
    (run / "desired.json").write_text(json.dumps({"generation": 1, "port": port, "release": release}))
    command = [python, str(ROOT / "infra/platforms/local/supervisor.py"), str(run)]
    subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL)
    end = time.monotonic() + _START_SECONDS
    while not (run / "status.json").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process = psutil.Process(int((run / "lock").read_text()))
    try:
        _wait_for(port)
        yield Server("slipway", port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(run, ignore_errors=True)


@contextmanager
def peer(name: str, used: Pythons, model: Path) -> Iterator[Server]:
    """One of the servers in bench/peers on `model`; names are those of `commands`."""
    port = _free_port()
    command = _commands(used, port)[name]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(MODEL=str(model), OTEL_SDK_DISABLED="false", TF_CPP_MIN_LOG_LEVEL="3"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        server = Server(name, port, psutil.Process(process.pid))
        try:
            _wait_for(port)
            yield server
        finally:
            children = server.root.children(recursive=True)
            for each in [server.root, *children]:
                _end(each, signal.SIGTERM)
            _, alive = psutil.wait_procs([server.root, *children], 10)
            for each in alive:
                _end(each, signal.SIGKILL)


def _commands(used: Pythons, port: int) -> dict[str, list[str]]:
    uvicorn = [used.peers, "-m", "uvicorn", "--port", str(port), "--log-level", "warning", "--no-access-log"]
    bento = [used.service, "-m", "bentoml", "serve", "bench.peers.bento_ort:Predict", "--port", str(port)]
    gunicorn = [used.keras, "-m", "gunicorn", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}"]
    return {
        "starlette": [*uvicorn, "--workers", str(WORKERS), "bench.peers.starlette_echo:app"],
        "fastapi": [*uvicorn, "--workers", str(WORKERS), "bench.peers.fastapi_ort:app"],
        "litserve": [used.peers, "bench/peers/litserve_ort.py", str(port)],
        "bentoml": [*bento, "--host", "127.0.0.1"],
        "flask-keras": [*gunicorn, "--keep-alive", "75", "bench.peers.flask_keras:app"],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def _end(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
