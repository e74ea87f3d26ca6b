"""On a GPU the variants are timed by another Python, on the provider that serves and on TensorRT where it is."""

import json
import sys
import time

import numpy as np
import pytest

from slipway.ops.models import gpu
from slipway.pipeline import device
from slipway.pipeline.errors import PipelineError

SPEEDS = {"fp32.onnx": 2e-3, "fp16.onnx": 1e-3}


class Session:
    """A double for ONNX Runtime's session on a GPU."""

    def __init__(self, file: str, provider: str) -> None:
        self._seconds = SPEEDS[file] / (2 if provider == "tensorrt" else 1)

    def get_inputs(self):
        return [type("Input", (), {"shape": ["batch", 3]})]

    def run(self, _outputs, _inputs):
        time.sleep(self._seconds)


def session(file, provider, threads):
    if provider == "tensorrt" and "tensorrt" not in INSTALLED:
        raise ImportError("libnvinfer.so.10 is missing")
    if "cuda" not in INSTALLED:
        raise ImportError("libcuda.so.1 is missing")
    return Session(file, provider)


INSTALLED: set[str] = set()


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """What the pipeline gets of a machine on which these libraries are installed."""

    def measured(*installed):
        INSTALLED.clear()
        INSTALLED.update(installed)

        def run(command, **_):
            code, said = 0, ""
            try:
                found = gpu.timed(tmp_path / "work", session, "NVIDIA Double")
                (tmp_path / "work" / "timings.json").write_text(json.dumps(found))
            except RuntimeError as error:
                code, said = 1, str(error)
            return type("Done", (), {"returncode": code, "stderr": said})

        monkeypatch.setattr(device.subprocess, "run", run)
        inputs = {"x": np.zeros((40, 3), "float32"), "text": np.array(["a"] * 40, object)}
        return device.measured(["timer"], {"fp32": "fp32.onnx", "fp16": "fp16.onnx"}, inputs, tmp_path / "work")

    return measured


def test_variants_are_timed_on_the_provider_that_serves_and_on_tensorrt_where_it_is(measured):
    found = measured("cuda", "tensorrt")
    fp32, fp16 = (found.timings[name] for name in ("fp32", "fp16"))
    assert found.name == "NVIDIA Double"
    assert 1.5 < np.median(fp32.rounds) / np.median(fp16.rounds) < 2.5
    assert fp16.all_threads == max(fp16.per_second.values()) and fp16.memory is None
    assert found.tensorrt["fp16"] < np.median(fp16.rounds)


def test_without_tensorrt_there_are_no_figures_of_it(measured):
    assert measured("cuda").tensorrt == {}


def test_a_gpu_that_can_not_be_used_is_told_and_nothing_is_called_measured(measured):
    with pytest.raises(PipelineError, match=r"can't be timed on it: cuda: libcuda\.so\.1 is missing"):
        measured()


def test_the_timer_is_a_command_of_another_python(tmp_path):
    (tmp_path / "timer.py").write_text("import sys; sys.exit('no driver')")
    with pytest.raises(PipelineError, match="can't be timed on it: no driver"):
        device.measured([sys.executable, str(tmp_path / "timer.py")], {}, {"x": np.zeros((1, 1))}, tmp_path / "work")
