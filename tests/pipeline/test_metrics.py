"""Metrics against figures worked out by hand, and bounds that cover what they promise."""

import numpy as np
import pytest

from slipway.pipeline import confidence as bounds
from slipway.pipeline.errors import BadInput
from slipway.pipeline.metrics import METRICS, check_labels, class_recalls, custom, named, of_all
from slipway.pipeline.settings import Settings

LABELS = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = np.array([0, 0, 1, 1, 2, 2])


def figure(name: str) -> float:
    metric = named(name)
    return metric.total(metric.scores(np.eye(3)[ANSWERS], LABELS))


def test_classification_metrics():
    assert figure("accuracy") == pytest.approx(4 / 6)
    assert figure("recall") == pytest.approx(1 / 2)
    assert figure("f1") == pytest.approx((2 * 2 / 5 + 2 * 1 / 4 + 2 * 1 / 3) / 3)
    assert figure("f2") == pytest.approx((5 * 2 / 14 + 5 * 1 / 10 + 5 * 1 / 6) / 3)
    assert figure("top-2") == pytest.approx(5 / 6)
    assert class_recalls(np.stack([LABELS, ANSWERS], axis=1)) == {0: 2 / 3, 1: 1 / 2, 2: 1}


def test_regression_metrics():
    values, answers = np.array([[1.0], [2], [4]]), np.array([[1.0], [3], [2]])
    found = {name: named(name).total(named(name).scores(answers, values)) for name in ("mae", "mape", "r2", "rmse")}
    assert found == pytest.approx({"mae": 1, "mape": 1 / 3, "r2": 1 - 5 / (14 / 3), "rmse": (5 / 3) ** 0.5})


def test_log_loss_is_of_shares_and_a_certain_error_costs_no_infinity():
    output = np.array([[0.5, 0.5], [2, 6], [1, 0]], "float32")
    scores = METRICS["log-loss"].scores(output, np.array([0, 1, 1]))
    np.testing.assert_allclose(scores[:2], [np.log(2), np.log(4 / 3)], rtol=1e-6)
    assert 15 < scores[2] < 17


def all_pairs(scores, positive):
    """The share of pairs that are in order, one by one."""
    pairs = [np.sign(a - b) / 2 + 0.5 for a in scores[positive] for b in scores[~positive]]
    return np.mean(pairs)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order():
    generator = np.random.default_rng(1)
    for classes in (2, 4):
        labels = generator.integers(0, classes, 80)
        output = np.round(generator.normal(size=(80, classes)) + np.eye(classes)[labels], 1)  # with ties
        single = output[:, 1] - output[:, 0]
        each = [all_pairs(output[:, at] if classes > 2 else single, labels == at) for at in range(classes)]
        assert METRICS["auc"].scores(output, labels).mean() == pytest.approx(
            np.mean(each[1:] if classes == 2 else each)
        )


@pytest.mark.parametrize("name", ["auc", "r2"])
def test_the_bound_of_a_figure_that_is_no_plain_mean_covers_the_true_drop_as_often_as_it_says(name):
    metric = METRICS[name]

    def drawn(seed, count):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 2, count)
        better, worse = (labels + generator.normal(0, 1, count) for _ in range(2))
        outputs = [
            np.stack([-each, each], 1) if name == "auc" else each for each in (better, better * 0.9 + worse * 0.2)
        ]
        return [metric.scores(each, labels) for each in outputs]

    truth = np.subtract(*(each.mean() for each in drawn(0, 400_000)))
    covered = [bounds.drop_upper(metric, *drawn(seed, 300)) >= truth for seed in range(1, 500)]
    assert 0.92 < np.mean(covered) < 0.98


def test_a_custom_figure_of_the_whole_set_is_bounded_by_resampling_it():
    def highest(outputs, labels):
        assert set(labels) == {0, 1}  # each resample has every class
        return outputs[labels == 1].mean() - outputs[labels == 0].mean()

    metric = custom(highest, higher_is_better=True)
    labels = np.arange(400) < 3
    output = labels + np.random.default_rng(2).normal(0, 0.1, 400)
    right, worse = (metric.scores(each, labels.astype("int64")) for each in (output, output * 0.9))
    assert metric.total(right) == pytest.approx(highest(output, labels))
    low, high = bounds.interval(metric, right)
    assert low < metric.total(right) < high
    assert metric.drop(metric.total(right), metric.total(worse)) < bounds.drop_upper(metric, right, worse) < 0.2


@pytest.mark.parametrize("whole", [False, True])
def test_a_custom_metric_gets_each_of_several_outputs_by_name(whole):
    def both(outputs, labels):
        assert outputs.keys() == {"box", "score"} and outputs["box"].shape[1:] == (4,)
        hits = (outputs["score"] > 0.5) == labels
        return hits.mean() if whole else hits

    settings = Settings(task="regression", metric="custom", minimum=0.1, budget=0.1)
    metric = of_all(custom(both, higher_is_better=True), settings, ["box", "score"])
    answers, labels = [np.zeros((50, 4)), np.linspace(0, 1, 50)], np.arange(50) > 20
    scores = metric.score(answers, labels)
    assert metric.total(scores) == pytest.approx(0.92)
    assert bounds.drop_upper(metric, scores, scores) == 0
    judged = of_all(
        custom(both, higher_is_better=True), settings.model_copy(update={"output": "box"}), ["box", "score"]
    )
    assert judged.outputs == of_all(named("mae"), settings, ["box", "score"]).outputs == ()


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_targets_of_different_scale_have_no_common_error(metric):
    targets = np.random.default_rng(0).normal(size=(50, 3)) * [1, 0, 5]
    check_labels(metric, targets, "here")
    with pytest.raises(BadInput, match=r"here: labels has targets with spreads from .* Write metric: r2"):
        check_labels(metric, targets * [1, 1, 20], "here")
    check_labels("r2", targets[:, ::2] * [1, 20], "here")


@pytest.mark.parametrize(
    ("metric", "labels", "message"),
    [
        ("mape", [[1.0], [0.0]], r"labels holds 0, first in sample 1; .* Write metric: mae or rmse"),
        ("auc", [2, 2], "all labels are 2; auc takes samples of two classes"),
        ("r2", [3.0, 3.0], "all labels are alike; r2 takes labels that vary"),
    ],
)
def test_labels_on_which_a_metric_is_not_defined_are_refused(metric, labels, message):
    check_labels(metric, np.array([1, 2]), "here")
    with pytest.raises(BadInput, match=message):
        check_labels(metric, np.array(labels), "here")


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


@pytest.mark.parametrize("name", ["accuracy", "f1", "rmse", "auc", "log-loss", "mae", "r2"])
def test_the_interval_holds_the_figure(name):
    metric = METRICS[name]
    labels = np.arange(300) % 3
    output = np.eye(3)[np.where(np.arange(300) % 7, labels, 0)]
    scores = metric.scores(output[:, 0] if name in ("rmse", "mae", "r2") else output, labels)
    low, high = bounds.interval(metric, scores)
    assert low < metric.total(scores) < high
