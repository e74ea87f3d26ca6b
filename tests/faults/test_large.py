"""A model above protobuf's 2 GiB, the whole way: built, stored, shared, fetched by another machine, served."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from slipway.infra.home import ROOT, home

from tests.faults.large_model import WIDTH, large_model

MATRICES = 9  # of 256 MB
SIZE = WIDTH * WIDTH * 4 * MATRICES
MOST = 2.5  # of its size, what a build may take of memory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    assert large_model(folder, MATRICES) == SIZE
    yield folder
    shutil.rmtree(folder)


def built(folder: Path, place: Path, shared: Path) -> tuple[dict, float, float]:
    """What the command answers, its seconds, and the most memory that it and its children held, in bytes."""
    place.mkdir()
    (place / "envs").symlink_to(home() / "envs")
    variables = os.environ | {"SLIPWAY_HOME": str(place), "SLIPWAY_STORE": shared.as_uri()}
    begun, most = time.monotonic(), 0
    command = [sys.executable, "-m", "slipway.cli", "model", "build", str(folder), "--json"]
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            most = max(most, memory(process.pid))
            time.sleep(0.2)
        answer = process.stdout.read()
    assert process.returncode == 0
    return json.loads(answer), time.monotonic() - begun, most


def memory(pid: int) -> int:
    """Bytes of a process and its children; what they share counts once."""
    total = 0
    try:
        for each in [(parent := psutil.Process(pid)), *parent.children(recursive=True)]:
            total += each.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass
    return total


def test_a_model_above_two_gibibytes_is_built_stored_fetched_and_served(folder, tmp_path, start, found):
    (tmp_path / "shared").mkdir()
    first, seconds, most = built(folder, tmp_path / "first", tmp_path / "shared")
    again, fetched_in, _ = built(folder, tmp_path / "second", tmp_path / "shared")
    assert again["digest"] == first["digest"]
    assert (Path(again["path"]) / "model.onnx.data").stat().st_size >= SIZE
    worker = start(Path(again["path"]))
    example = json.loads((Path(again["path"]) / "example.json").read_bytes())
    right = json.loads((Path(again["path"]) / "example.response.json").read_bytes())
    answer = httpx.post(f"{worker.url}/predict", json=example, timeout=60).json()
    served = np.abs(np.array(answer["outputs"]["y"]) - np.array(right["outputs"]["y"])).max()
    found(
        "F15 a model above 2 GiB",
        f"{SIZE / 1e9:.1f} GB of FP32 weights beside the graph: built, put into a shared store, fetched, served",
        f"built in {seconds:.0f} s with at most {most / SIZE:.2f} times its size of memory, fetched in "
        f"{fetched_in:.0f} s, its example answered within {served:.0e}",
    )
    assert served < 1e-3
    assert most <= MOST * SIZE
    for place in ("first", "second", "shared"):
        shutil.rmtree(tmp_path / place)
