"""No artifact in the store that a fresh service can't serve: small random models through the whole command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from slipway.infra.home import ROOT
from slipway.service.artifact import load

from slipway.pipeline import runtime
from slipway.pipeline.metrics import METRICS
from slipway.pipeline.served import judge_served
from slipway.pipeline.tolerance import Tolerance
from tests.artifacts import own_home
from tests.pipeline.conftest import probe
from tests.small_models import small

__all__ = ["probe"]

SETTINGS = """task: classification
metric: accuracy
minimum: 0.9
budget: 0.1
model: model.onnx
training: training.npz
evaluation: evaluation.npz
"""


def brought(folder: Path, path: Path) -> None:
    """A model folder of the file and random samples, labelled by what the model answers."""
    folder.mkdir()
    shutil.copyfile(path, folder / "model.onnx")
    (folder / "model.yaml").write_text(SETTINGS)
    for name, seed in (("training", 1), ("evaluation", 0)):
        data = small(path, seed).data
        arrays = {each: array.astype(str) if array.dtype == object else array for each, array in data.inputs.items()}
        np.savez(folder / f"{name}.npz", **arrays, label=data.labels)


def test_every_small_model_that_is_built_is_served_as_it_was_judged(probe, tmp_path, found):
    models = Path(probe("small_models", "slipway/pipeline/requirements.txt")["folder"])
    count = len(list(models.glob("[0-9]*.onnx")))
    home, chosen, bad = own_home(tmp_path / "home"), dict[str, int](), dict[int, str]()
    for number in range(count):
        folder = tmp_path / f"small{number}"
        brought(folder, models / f"{number}.onnx")
        command = [sys.executable, "-m", "slipway.cli", "model", "build", str(folder), "--json"]
        ended = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"SLIPWAY_HOME": str(home)}, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            bad[number] = ended.stderr[-500:]
            continue
        path = Path(json.loads(ended.stdout)["path"])
        artifact, data = load(path), small(models / f"{number}.onnx").data
        variant = artifact.read("report")["choice"]["variant"]
        expected = runtime.predict(runtime.session(artifact.model), data.inputs, 1)
        tolerance = Tolerance(variant, "classification", METRICS["accuracy"], 0.1)
        served = judge_served(
            [sys.executable, "-m", "slipway.service"], path, artifact.signature, data, expected, 1.0, tolerance
        )
        chosen[variant] = chosen.get(variant, 0) + 1
        if abs(served["metric"] - artifact.read("report")["served"]["metric"]) > 0.02:
            bad[number] = f"judged {artifact.read('report')['served']['metric']}, served {served['metric']}"
    variants = ", ".join(f"{count} {name}" for name, count in sorted(chosen.items()))
    found(
        "F17 small models",
        f"{count} random ones through `slipway model build`, then asked in every way on a service of their own",
        f"{sum(chosen.values()) - len(bad)} served as judged ({variants}), {len(bad)} not",
    )
    assert not bad
    assert sum(chosen.values()) == count > 30


@pytest.fixture(autouse=True)
def _without_a_shared_store(monkeypatch):
    monkeypatch.delenv("SLIPWAY_STORE", raising=False)
