"""ONNX files of other projects, unmodified: optimized, or kept FP32 with the reason."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from cli.env import environment
from cli.home import home
from cli.models import PIPELINE_LOCK, ROOT

PACKAGES = "rapidocr-onnxruntime silero-vad magika"
HOW = f"uv pip install --no-deps --target DIR {PACKAGES}, then name DIR in SLIPWAY_THIRD_PARTY"


@pytest.mark.skipif("SLIPWAY_THIRD_PARTY" not in os.environ, reason=f"takes packages of others: {HOW}")
def test_each_file_is_optimized_or_kept_with_its_reason():
    python = environment([PIPELINE_LOCK], home() / "envs")
    probe = Path(__file__).parent / "probes" / "third_party.py"
    done = subprocess.run(
        [python, probe, os.environ["SLIPWAY_THIRD_PARTY"]],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["package"] for each in outcomes} == {"rapidocr_onnxruntime", "silero_vad", "magika"}
    for each in outcomes:
        assert each["choice"] == "fp32" or (each["agreement"] >= 0.95 and each["speed"] > 1)
        assert each["reason"]
