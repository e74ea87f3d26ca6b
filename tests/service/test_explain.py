"""Explanations: they add up, agree with the exact values, find what matters, and harm nobody."""

import asyncio
import itertools
import json
import os
import signal
import time
from math import factorial

import httpx
import numpy as np
import psutil
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from slipway.service.explain import worker as explaining_worker
from slipway.service.explain.shapley import Sample, occlusion, shapley
from slipway.service.explain.worker import Explainer
from slipway.service.http.app import App
from slipway.service.inference.model import Model, load_model
from slipway.service.settings import Settings
from slipway.service.telemetry.logs import JsonLines, Masker

from bench.client import load, request
from tests.service.conftest import BACKGROUNDS, EXAMPLES, runtime

RNG = np.random.default_rng(5)


def quadratic(inputs):
    """A model with interactions: x0 x1 + 3 x2 - x3²."""
    x = inputs["x"]
    return x[:, 0] * x[:, 1] + 3 * x[:, 2] - x[:, 3] ** 2


def exact(value, sample, background):
    """Shapley's own formula: each group's gain, over all sets of the others."""
    size = sample.size
    found = np.zeros(size)
    for row in background:
        for player in range(size):
            others = [at for at in range(size) if at != player]
            for count in range(size):
                weight = factorial(count) * factorial(size - count - 1) / factorial(size)
                for chosen in itertools.combinations(others, count):
                    without = row.copy()
                    without[list(chosen)] = sample[list(chosen)]
                    with_it = without.copy()
                    with_it[player] = sample[player]
                    gain = value({"x": with_it[None]})[0] - value({"x": without[None]})[0]
                    found[player] += weight * gain / len(background)
    return found


def test_sampled_values_are_shapley_s_within_their_own_error():
    x, background = RNG.normal(size=4), RNG.normal(size=(8, 4))
    found = shapley(Sample({"x": x}, {"x": background}), quadratic, 10)
    expected = exact(quadratic, x, background)
    assert np.abs(found.credits["x"] - expected).max() < 4 * found.error + 1e-9
    assert found.error < 0.3


def test_whatever_was_sampled_the_credits_add_up_to_the_answer_less_the_mean_answer():
    for shape in ((5,), (200,), (28, 28, 1), (3, 32, 32), (7, 3), ()):
        x, background = RNG.normal(size=shape), RNG.normal(size=(4, *shape))
        weights = RNG.normal(size=shape)

        def value(inputs, weights=weights, shape=shape):
            return np.tanh((inputs["x"] * weights).reshape(len(inputs["x"]), -1).sum(axis=1))

        found = shapley(Sample({"x": x}, {"x": background}), value, 0.2)
        whole = value({"x": x[None]})[0]
        assert found.credits["x"].shape == shape
        assert found.credits["x"].sum() == pytest.approx(whole - found.baseline, abs=1e-9)


def test_the_noise_of_a_single_pair_of_walks_and_of_occlusion_is_unknown():
    x, background = RNG.normal(size=4), RNG.normal(size=(8, 4))
    for method, seconds in ((shapley, 0), (occlusion, 10)):
        found = method(Sample({"x": x}, {"x": background}), quadratic, seconds)
        assert (found.error, found.evaluations) == (None, 10 if method is shapley else 6)


def test_what_a_model_does_not_look_at_gets_no_credit_and_several_inputs_share_it():
    inputs = {"a": np.array([1.0, 2.0]), "b": np.array([5.0])}
    background = {"a": np.zeros((3, 2)), "b": np.zeros((3, 1))}
    for method in (shapley, occlusion):
        found = method(Sample(inputs, background), lambda given: given["a"][:, 0] + given["b"][:, 0], 1)
        assert found.credits["a"].tolist() == [pytest.approx(1), 0]
        assert found.credits["b"].tolist() == [pytest.approx(5)]


def test_words_are_left_out_of_a_text():
    sample = Sample({"text": np.array(["this is not bad"], object)}, {"text": np.array([[""]], object)})
    found = shapley(sample, lambda given: np.array(["bad" in each for each in given["text"].ravel()], float), 1)
    assert sample.words == ["this", "is", "not", "bad"]
    assert found.credits["text"].tolist() == [0, 0, 0, pytest.approx(1)]
    assert found.baseline == 0


@pytest.fixture
def served(artifacts):
    """Asks an application in this process, whose process for explanations ends with the test."""

    def ask(name, *bodies, **settings):
        async def run():
            app = App(load_model(artifacts[name]), Settings(access="open", **settings))
            try:
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
                    return await asyncio.gather(*(client.post("/explain", json=body) for body in bodies))
            finally:
                await app.close()

        return asyncio.run(run())

    return ask


def test_a_model_s_answer_is_explained_for_the_class_that_is_asked_for(served, artifacts):
    inputs = EXAMPLES["classifier"]
    (hasty,) = served("classifier", {"inputs": inputs}, explain_seconds=0.0)
    assert hasty.json()["standardError"] is None
    (answer, other, by_number, quick) = served(
        "classifier",
        {"inputs": inputs},
        {"inputs": inputs, "target": "low"},
        {"inputs": inputs, "target": 0},
        {"inputs": inputs, "method": "occlusion"},
        explain_seconds=20.0,  # enough for all walks, however busy the machine is
    )
    probabilities = runtime(artifacts["classifier"], {"features": [inputs["features"], *BACKGROUNDS["classifier"]]})[0]
    told = answer.json()
    best = int(probabilities[0].argmax())
    assert answer.status_code == 200
    assert told["target"] == ("low", "middle", "high")[best]
    assert told["value"] == pytest.approx(probabilities[0, best])
    assert told["standardError"] > 0
    assert told["baseline"] == pytest.approx(probabilities[1:, best].mean(), abs=1e-6)
    assert sum(told["attributions"]["features"]) == pytest.approx(told["value"] - told["baseline"], abs=1e-6)
    assert other.json()["value"] == pytest.approx(probabilities[0, 0])
    assert other.json()["attributions"] == by_number.json()["attributions"]  # and the same every time
    assert (quick.json()["method"], quick.json()["evaluations"]) == ("occlusion", 6)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([], 400, "wrong_type"),
        ({"inputs": {"features": [[1, 2, 3, 4]]}}, 400, "wrong_batch"),
        ({"inputs": {"features": [1, 2, 3]}}, 400, "wrong_shape"),
        ({"inputs": EXAMPLES["classifier"], "method": "guess"}, 400, "wrong_type"),
        ({"inputs": EXAMPLES["classifier"], "method": ["shapley"]}, 400, "wrong_type"),
        ({"inputs": EXAMPLES["classifier"], "target": True}, 400, "wrong_type"),
        ({"inputs": EXAMPLES["classifier"], "target": "top"}, 422, "unknown_label"),
        ({"inputs": EXAMPLES["classifier"], "target": 3}, 422, "unknown_label"),
        ({"inputs": EXAMPLES["classifier"], "samples": 10**9}, 400, "unknown_field"),
        ({"method": "shapley"}, 400, "missing_field"),
    ],
)
def test_what_can_not_be_explained_is_refused_by_name(body, status, code, served):
    (answer,) = served("classifier", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_an_artifact_without_a_baseline_and_a_service_told_not_to_explain_nothing(served):
    (without,) = served("linear", {"inputs": EXAMPLES["linear"]})
    (told_not_to,) = served("classifier", {"inputs": EXAMPLES["classifier"]}, max_explain=0)
    assert {without.status_code, told_not_to.status_code} == {404}
    assert without.json()["error"]["code"] == "not_explained"


def test_more_explanations_than_may_wait_are_refused_with_the_time_to_come_again(served):
    answers = served("classifier", *[{"inputs": EXAMPLES["classifier"]}] * 5, max_explain=2)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 429)


def explaining(pid):
    return [
        each for each in psutil.Process(pid).children() if "slipway.service.explain.worker" in " ".join(each.cmdline())
    ]


def test_predictions_go_on_beside_explanations_which_come_last_on_the_processors(start, artifacts):
    worker = start(artifacts["classifier"])
    port = int(worker.url.rpartition(":")[2])
    body = json.dumps({"inputs": EXAMPLES["classifier"]}).encode()

    async def both():
        beside = asyncio.create_task(load(port, request("/explain", body), 8, 2))
        predicted = await load(port, request("/predict", body), 4, 2, rate=200)
        return predicted, await beside

    httpx.post(f"{worker.url}/explain", content=body, headers={"content-type": "application/json"}, timeout=30)
    predicted, explained = asyncio.run(both())
    assert set(predicted.statuses) == {200}
    assert set(explained.statuses) <= {200, 429} and explained.statuses[200]
    (process,) = explaining(worker.process.pid)
    assert process.nice() == 19


def test_a_killed_explainer_costs_its_own_request_alone_and_none_outlives_its_worker(start, artifacts):
    worker = start(artifacts["classifier"])

    def ask():
        return httpx.post(f"{worker.url}/explain", json={"inputs": EXAMPLES["classifier"]}, timeout=30).status_code

    assert ask() == 200
    (process,) = explaining(worker.process.pid)
    process.kill()
    process.wait(10)
    assert (ask(), ask()) in ((200, 200), (500, 200))
    (process,) = explaining(worker.process.pid)
    os.kill(worker.process.pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the explainer outlived its worker"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("error", "refused"),
    [(InvalidArgument("out of bounds"), (422, "model_refused")), (KeyError("canary"), (500, "internal"))],
)
def test_a_model_that_fails_on_a_sample_fails_nobody_else_and_its_input_is_not_written(error, refused, caplog):
    class Failing:
        """Stands for an Explainer whose model can't take a sample."""

        def explain(self, request):
            raise error

    told = explaining_worker.answer(Failing(), b"{}")["refused"]
    assert (told["status"], told["code"]) == refused
    caplog.handler.setFormatter(JsonLines(Masker()))
    assert "canary" not in "".join(map(caplog.handler.format, caplog.records)) + told["message"]


def test_credits_add_up_where_an_answer_depends_on_its_batch(artifacts, monkeypatch):
    run, warm_up = Model.run, Model.warm_up

    def by_the_batch(self, inputs, options=None):
        return {name: values + len(values) / 100 for name, values in run(self, inputs, options).items()}

    def gains_from_eight(self, inputs, budget=0.06):
        warm_up(self, inputs, budget)
        self.batch = 8

    monkeypatch.setattr(Model, "warm_up", gains_from_eight)
    asked = {"inputs": EXAMPLES["classifier"], "target": None, "method": "shapley", "seconds": 0.1}
    load_model.cache_clear()
    assert Explainer(artifacts["classifier"])._size == 8
    monkeypatch.setattr(Model, "run", by_the_batch)
    load_model.cache_clear()
    told = Explainer(artifacts["classifier"]).explain(asked)
    load_model.cache_clear()
    assert sum(told["attributions"]["features"]) == pytest.approx(told["value"] - told["baseline"], abs=1e-6)
