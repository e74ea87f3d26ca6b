"""Metrics against figures worked out by hand, and bounds that cover what they promise."""

import numpy as np
import pytest

from slipway.pipeline import confidence as bounds
from slipway.pipeline.metrics import METRICS, class_recalls, custom

LABELS = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = np.array([0, 0, 1, 1, 2, 2])


def figure(name: str) -> float:
    metric = METRICS[name]
    return metric.total(metric.scores(np.eye(3)[ANSWERS], LABELS))


def test_classification_metrics():
    assert figure("accuracy") == pytest.approx(4 / 6)
    assert figure("recall") == pytest.approx(1 / 2)
    assert figure("f1") == pytest.approx((2 * 2 / 5 + 2 * 1 / 4 + 2 * 1 / 3) / 3)
    assert class_recalls(np.stack([LABELS, ANSWERS], axis=1)) == {0: 2 / 3, 1: 1 / 2, 2: 1}


def test_cosine_is_of_directions_and_survives_a_zero():
    metric = METRICS["cosine"]
    ours = np.array([[1.0, 0], [1, 1], [0, 0]])
    theirs = np.array([[2.0, 0], [0, 3], [1, 1]])
    np.testing.assert_allclose(metric.scores(ours, theirs), [1, 0.5**0.5, 0], atol=1e-12)


@pytest.mark.parametrize("name", ["f1", "recall"])
def test_no_difference_still_has_a_bound_and_a_real_drop_a_larger_one(name):
    metric = METRICS[name]
    labels = np.arange(600) % 3
    right = metric.scores(np.eye(3)[labels], labels)
    worse_answers = np.where(np.arange(600) % 10 == 0, (labels + 1) % 3, labels)
    worse = metric.scores(np.eye(3)[worse_answers], labels)
    drop = metric.drop(metric.total(right), metric.total(worse))
    assert bounds.drop_upper(metric, right, right) == pytest.approx(bounds.paired_difference_upper(0, 0, 200))
    assert drop < bounds.drop_upper(metric, right, worse) < drop + 0.06


def test_a_worse_mean_is_bounded_in_pairs_in_either_direction():
    scores = np.random.default_rng(0).normal(1, 1, 1000)
    for higher, shift in ((True, -0.1), (False, 0.1)):
        metric = custom(lambda outputs, labels: outputs, higher)
        assert bounds.drop_upper(metric, scores, scores + shift) == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["accuracy", "f1", "rmse"])
def test_the_interval_holds_the_figure(name):
    metric = METRICS[name]
    labels = np.arange(300) % 3
    output = np.eye(3)[np.where(np.arange(300) % 7, labels, 0)]
    scores = metric.scores(output if name != "rmse" else output[:, 0], labels)
    low, high = bounds.interval(metric, scores)
    assert low < metric.total(scores) < high
