"""Drift: shifted data raises it and unshifted data does not, whatever the seed."""

import os
import struct

import numpy as np
import pytest
from slipway.infra.platforms.local.supervisor import COUNTERS_BYTES
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.samples.validation import Samples
from slipway.service.settings import Settings
from slipway.service.telemetry.drift import FEWEST, WINDOW, Drift, chi_squared
from slipway.service.telemetry.features import features, reference

RNG = np.random.default_rng(1)
COLUMNS = 30


def table(rng, count, shift=0.0, spread=1.0):
    """Columns of several kinds: normal, skewed, of two values, with values missing."""
    made = rng.normal(shift, spread, (count, COLUMNS))
    made[:, 1] = np.exp(made[:, 1])
    made[:, 2] = rng.random(count) < 0.3 + shift / 4
    made[:, 3] = np.where(rng.random(count) < 0.1, np.nan, made[:, 3])
    return made.astype(np.float32)


def watched(training):
    return Drift({"inputs": {"x": {"features": reference(training)}}})


def after(drift, array, requests=1000):
    for start in range(0, requests, 50):
        drift.add({"x": array[start : start + 50]})
    return drift.report()


TRAINING = table(RNG, 5000)


@pytest.mark.parametrize("seed", range(5))
def test_data_like_the_training_data_is_no_drift(seed):
    found = after(watched(TRAINING), table(np.random.default_rng(seed), 1000))
    assert [each for each in found if each.drifted] == []
    assert len(found) == COLUMNS and {each.samples for each in found} == {WINDOW}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("change", [{"shift": 0.5}, {"shift": -0.5}, {"spread": 2.0}], ids=["higher", "lower", "wider"])
def test_shifted_data_is_drift(change, seed):
    found = after(watched(TRAINING), table(np.random.default_rng(seed), 1000, **change))
    assert sum(each.drifted for each in found) >= COLUMNS - 3
    assert all(each.ks > 0.05 for each in found if each.drifted)


@pytest.mark.parametrize("seed", range(5))
def test_one_shifted_column_of_thirty_is_found_and_named(seed):
    asked = table(np.random.default_rng(seed), 1000)
    asked[:, 17] += 0.6
    assert [each.name for each in after(watched(TRAINING), asked) if each.drifted] == ["column 17"]


@pytest.mark.parametrize("change", [lambda image: image * 0.7, lambda image: image + 0.2, np.zeros_like])
def test_images_are_watched_by_mean_and_spread(change):
    rng = np.random.default_rng(3)
    images = rng.random((3000, 1, 1)) * rng.random((3000, 14, 14)).astype(np.float32)
    assert features(images).keys() == {"mean", "spread"}
    assert not any(each.drifted for each in after(watched(images[:2000]), images[2000:]))
    assert any(each.drifted for each in after(watched(images[:2000]), change(images[2000:])))


def test_a_bare_text_is_watched_as_one_in_a_list_is():
    texts = np.array(["one", "three", ""], object)
    assert features(texts)["length"].tolist() == features(texts[:, None])["length"].tolist() == [3, 5, 0]


def test_more_missing_values_and_longer_texts_are_drift():
    rng = np.random.default_rng(4)
    asked = table(rng, 1000)
    asked[:, 5] = np.where(rng.random(1000) < 0.3, np.nan, asked[:, 5])
    assert [each.name for each in after(watched(TRAINING), asked) if each.drifted] == ["column 5"]
    texts = np.array([["a" * length] for length in rng.integers(5, 50, 2000)], object)
    assert not any(each.drifted for each in after(watched(texts[:1000]), texts[1000:]))
    assert any(each.drifted for each in after(watched(texts[:1000]), texts[1000:] + "a" * 30))


def countries(rng, count, names=("DE", "FR", "US"), shares=(0.7, 0.25, 0.05)):
    return rng.choice(np.array(names, object), (count, 1), p=shares)


def test_categories_are_watched_by_how_often_each_comes_and_what_training_never_saw_is_told():
    rng = np.random.default_rng(5)
    training = countries(rng, 2000)
    (same,) = after(watched(training), countries(rng, 1000))
    assert (same.name, same.drifted, same.other) == ("category", False, 0.0)
    (moved,) = after(watched(training), countries(rng, 1000, shares=(0.05, 0.25, 0.7)))
    assert moved.drifted and moved.other == 0.0
    (unknown,) = after(watched(training), countries(rng, 1000, names=("DE", "FR", "NL"), shares=(0.6, 0.2, 0.2)))
    assert unknown.drifted and unknown.other == pytest.approx(0.2, abs=0.05)


def test_of_a_table_of_texts_each_column_has_its_categories():
    rng = np.random.default_rng(6)
    training, asked = (np.concatenate([countries(rng, 1000), countries(rng, 1000)], axis=1) for _ in range(2))
    asked[:, 1] = "US"
    assert [each.name for each in after(watched(training), asked) if each.drifted] == ["column 1"]


def test_a_text_that_few_have_is_not_in_the_artifact():
    training = np.array(["DE"] * 995 + ["Jane Doe, Elm Street"] * 4 + ["FR"], object)
    (feature,) = reference(training)
    assert (feature["categories"], feature["counts"]) == (["DE"], [995, 5])


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (np.array(["a", "bcd"], object), {"length"}),
        (np.array(["a", "bcd"]), {"length"}),
        (np.array([["a", "b"], ["c", ""]], object), {"length"}),
        (np.array([1.0, 2.0]), {"column 0"}),
        (np.zeros((2, 3), np.int64), {"column 0", "column 1", "column 2"}),
        (np.zeros((2, 3), bool), {"column 0", "column 1", "column 2"}),
        (np.zeros((2, 65), np.float16), {"mean", "spread"}),
        (np.zeros((2, 4, 4, 1), np.uint8), {"mean", "spread"}),
        (np.full((2, 1), np.nan), {"column 0"}),
    ],
)
def test_an_input_of_any_shape_and_type_has_features(array, names):
    found = features(array)
    assert found.keys() == names and {len(values) for values in found.values()} == {2}
    assert [sum(each["counts"]) for each in reference(array)] == [2] * len(names)


def test_few_samples_raise_no_alarm():
    found = after(watched(TRAINING), table(RNG, FEWEST - 50, shift=3.0), FEWEST - 50)
    assert not any(each.drifted for each in found)
    assert max(each.psi for each in found) > 1


def test_the_window_slides_so_that_an_end_of_drift_is_seen():
    drift = watched(TRAINING)
    assert any(each.drifted for each in after(drift, table(RNG, 1000, shift=1.0)))
    found = after(drift, table(RNG, 2 * WINDOW), 2 * WINDOW)
    assert not any(each.drifted for each in found)


def test_an_artifact_without_features_is_not_watched():
    for statistics in ({}, {"inputs": {"x": None}}, {"inputs": {"x": {"mean": 1.0}}}):
        assert after(Drift(statistics), TRAINING) == []


@pytest.mark.parametrize(("degrees", "exact"), [(1, 15.137), (2, 18.421), (3, 21.108), (9, 33.720), (10, 35.564)])
def test_the_limit_is_a_chi_squared_quantile_on_the_safe_side(degrees, exact):
    assert exact < chi_squared(0.9999, degrees) < 1.08 * exact


def test_workers_counts_are_added_up(monkeypatch, counters):
    monkeypatch.setenv("SLIPWAY_COUNTERS", f"{counters}:0:4")
    mine = watched(TRAINING)
    after(mine, table(RNG, 300), 300)
    for slot, pid in ((1, 1), (2, 999999999)):  # process 1 is alive, whatever it is; what a dead worker saw is no news
        one = os.pread(counters, 1 << 20, 0)
        os.pwrite(counters, struct.pack("d", pid) + one[8:], slot * COUNTERS_BYTES)
        assert {each.samples for each in mine.report()} == {600}


def test_what_can_not_be_counted_harms_no_request(artifacts, monkeypatch, caplog):
    app = App(load_model(artifacts["classifier"]), Settings(access="open"))
    samples = Samples({"features": np.zeros((1, 4), np.float32)}, 1, True)
    for _ in range(3):
        app.monitor.answered(samples, {"probabilities": np.zeros(0)}, 0, 0, 0, 0)
        app.monitor.tick()
    assert [record.message for record in caplog.records] == ["answers could not be counted"] * 3
