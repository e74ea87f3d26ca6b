"""What the real service answers decides, whatever an artifact says of itself."""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from slipway.service.artifact import HELD_OUT, seal
from slipway.service.client import Client

from slipway.pipeline import runtime, served
from slipway.pipeline.company import depends
from slipway.pipeline.metrics import METRICS
from slipway.pipeline.served import judge_served
from slipway.pipeline.service_process import NotServed, TooSlow, running
from slipway.pipeline.tolerance import Tolerance
from tests.small_models import SAMPLES, small, stored

COMMAND = [sys.executable, "-m", "slipway.service"]
ALL_WAYS = {"batches", "json", "raw", "npy", "v2", "v2 bytes", "company", "side by side"}


@pytest.fixture(scope="module")
def written(probe):
    return probe("small_models", "slipway/pipeline/requirements.txt")


@pytest.fixture(scope="module")
def models(written):
    """The folder of the small models."""
    return Path(written["folder"])


def tolerance(variant="fp32", budget=0.02):
    return Tolerance(variant, "classification", METRICS["accuracy"], budget)


def judged(folder, model, **changes):
    given = {"expected": model.answers, "reference": 1.0, "tolerance": tolerance()} | changes
    return judge_served(COMMAND, folder, model.signature, model.data, **given)


@pytest.mark.parametrize("seed", [2, 3, 16, 25, 30, 39])
def test_every_way_of_calling_a_service_gives_what_the_model_was_judged_by(seed, models, tmp_path):
    model = small(models / f"{seed}.onnx")
    report = judged(stored(tmp_path / "artifact", model), model)
    assert report["metric"] == 1.0
    assert {"batches", "json", "v2", "v2 bytes", "company", "side by side"} <= set(report["ways"]) <= ALL_WAYS
    assert all(each == {"samples": SAMPLES, "metric": 1.0} for each in report["ways"].values())


def test_a_service_that_answers_otherwise_than_judged_is_found_in_every_way(models, tmp_path):
    model = small(models / "2.onnx")
    folder = stored(tmp_path / "artifact", model)
    turned = [np.roll(model.answers[0], 1, axis=1), *model.answers[1:]]
    with pytest.raises(NotServed, match=r"the service \(batches\) answers otherwise than the model was judged"):
        judged(folder, model, expected=turned)
    with pytest.raises(NotServed, match=r"served, its accuracy is 1\.0000, 0\.0500 worse than fp32's"):
        judged(folder, model, reference=1.05)


def test_a_service_that_does_not_start_says_why_in_its_own_words(models, tmp_path):
    model = small(models / "2.onnx")
    folder = stored(tmp_path / "artifact", model)
    (folder / "model.onnx").write_bytes(b"cut")
    with pytest.raises(NotServed, match=r"model\.onnx is damaged: its SHA-256 is not the one in manifest\.json"):
        judged(folder, model)


@pytest.mark.parametrize("most", [1, 20])
def test_a_model_that_is_too_slow_for_full_batches_and_many_callers_is_judged_with_fewer(most, models, monkeypatch):
    model = small(models / "2.onnx")
    monkeypatch.setattr(served, "Caller", slow_caller(most, model))
    answers = served._answers(0, model.signature, model.data.inputs)
    assert {"batches", "company", "side by side"} <= set(answers)
    for at, outputs in answers.values():
        assert len(at) == SAMPLES and np.array_equal(outputs[0], model.answers[0][at])


def test_a_model_that_is_too_slow_for_one_sample_is_not_served(models, monkeypatch):
    model = small(models / "2.onnx")
    monkeypatch.setattr(served, "Caller", slow_caller(0, model))
    with pytest.raises(NotServed, match="answered 504"):
        served._answers(0, model.signature, model.data.inputs)


def slow_caller(most, model):
    """A double of Caller, whose service has the time for `most` samples in all requests that it works on."""
    session, lock, held = runtime.session(model.path), threading.Lock(), [0]

    class SlowCaller:
        def __init__(self, *_):
            pass

        def limits(self):
            return {"samples": 1000, "bytes": 1_000_000}

        def predict(self, _wire, inputs):
            count = len(next(iter(inputs.values())))
            with lock:
                held[0] += count
                late = held[0] > most
            try:
                if late:
                    raise TooSlow("/v2/models/m/infer answered 504: no answer within 10 seconds")
                time.sleep(0.002)
                return runtime.predict(session, inputs, count)
            finally:
                with lock:
                    held[0] -= count

        def close(self):
            pass

    return SlowCaller


def test_a_process_on_other_hardware_answers_held_out_samples_before_it_is_ready(models, tmp_path):
    model = small(models / "16.onnx")
    inputs = {f"input:{name}": array for name, array in model.data.inputs.items()}
    names = [f"output:{spec.name}" for spec in model.signature.outputs]
    answers = dict(zip(names, model.answers, strict=True))
    turned = answers | {names[0]: np.roll(model.answers[0], 1, axis=1)}
    for name, outputs in (("right", answers), ("wrong", turned)):
        folder = stored(tmp_path / name, model)
        np.savez(folder / HELD_OUT, **inputs, **outputs)
        seal(folder)
    with running(COMMAND, tmp_path / "right"):
        pass
    told = "held_out.npz: p of 60 samples, alone, differs here from what was judged"
    with pytest.raises(NotServed, match=told), running(COMMAND, tmp_path / "wrong"):
        pass


def test_answers_that_depend_on_their_batch_are_served_one_sample_at_a_time(models, tmp_path):
    model = small(models / "normalized.onnx")
    folder = stored(tmp_path / "artifact", model, alone=True)
    session = runtime.session(folder / "model.onnx")
    assert "alone the answer differs by up to" in depends(session, model.data, model.answers, tolerance())
    with running(COMMAND, folder) as service, Client(f"http://127.0.0.1:{service.port}") as client:
        answer = client.predict(model.data.inputs).output
    assert answer == pytest.approx(np.full((SAMPLES, 3), 1 / 3))  # of each sample less its own mean
    with pytest.raises(NotServed, match="otherwise than the model was judged"):
        judged(folder, model)


def test_answers_that_do_not_depend_on_their_batch_are_known_as_such(models):
    model = small(models / "4.onnx")
    assert depends(runtime.session(model.path), model.data, model.answers, tolerance()) is None


def test_int8_is_held_to_its_labels_and_the_metric_and_floats_to_their_numbers():
    expected = np.eye(3, dtype=np.float32)[np.arange(400) % 3]
    labels = expected.argmax(axis=1)
    rounded = expected * np.float32(0.99)
    assert tolerance("int8-dynamic").apart([expected], [rounded], labels) is None
    assert "differs by up to 0.01" in tolerance("fp32").apart([expected], [rounded], labels)
    three_wrong = rounded.copy()
    three_wrong[:3] = np.roll(three_wrong[:3], 1, axis=1)
    assert "the label is the same for 99.2%" in tolerance("int8-dynamic").apart([expected], [three_wrong], labels)
    one_wrong = tolerance("int8-static", 0.001).apart([expected[2:]], [three_wrong[2:]], labels[2:])
    assert one_wrong == "accuracy is 0.9975 in place of 1.0000, a drop of 0.0025"


@pytest.mark.parametrize("name", ["vector", "scalar", "row"])
def test_an_output_that_is_no_row_of_a_sample_is_left_out_and_told(name, written):
    assert written["notes"][name] == ["output extra is left out: it is the same for every sample"]
    assert len(small(Path(written["folder"], f"{name}.onnx")).answers) == 1
