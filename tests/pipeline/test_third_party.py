"""Models of other projects, unmodified: converted, optimized, or kept FP32 with the reason."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from slipway.infra.home import ROOT, home

from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.virtualenvs import environment

PACKAGES = "rapidocr-onnxruntime silero-vad magika basic-pitch"
HOW = f"uv pip install --no-deps --target DIR {PACKAGES}, then name DIR in SLIPWAY_THIRD_PARTY"


pytestmark = pytest.mark.skipif("SLIPWAY_THIRD_PARTY" not in os.environ, reason=f"takes packages of others: {HOW}")


def probed(name: str, lock: Path, folder: Path) -> list[dict]:
    python = environment([lock], home() / "envs")
    command = [python, Path(__file__).parent / "probes" / f"{name}.py", os.environ["SLIPWAY_THIRD_PARTY"]]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(folder.iterdir())
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_file_is_optimized_or_kept_with_its_reason(tmp_path):
    outcomes = probed("third_party", PIPELINE_LOCK, tmp_path)
    assert {each["package"] for each in outcomes} == {"rapidocr_onnxruntime", "silero_vad", "magika"}
    for each in outcomes:
        assert each["choice"] == "fp32" or (each["agreement"] >= 0.95 and each["speed"] > 1)
        assert each["reason"]


def test_a_savedmodel_whose_optimizer_is_of_the_past_answers_as_in_tensorflow(tmp_path):
    (found,) = probed("savedmodel_of_others", ROOT / "models/digits/requirements.txt", tmp_path)
    assert found["inputs"] == {"input_2": ["float32", [None, 43844, 1]]}
    assert found["outputs"] == ["contour", "note", "onset"]
    assert found["worst"] < 1e-4
