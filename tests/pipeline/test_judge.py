"""The judge decides planted cases as the docstrings promise."""

import numpy as np
import pytest

from slipway.pipeline import confidence as bounds
from slipway.pipeline import judge
from slipway.pipeline.errors import BadInput, Refused
from slipway.pipeline.judge import Candidate
from slipway.pipeline.metrics import METRICS

ACCURACY, RMSE = METRICS["accuracy"], METRICS["rmse"]
SAMPLES = 1000


def scores(right: int, samples: int = SAMPLES) -> np.ndarray:
    """The first `right` samples are right."""
    return (np.arange(samples) < right).astype(float)


def rounds(milliseconds: float, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    return milliseconds * np.random.default_rng(seed).normal(1, noise, 31)


def candidate(name: str, right: int = 980, speed: float = 1.0, size: int = 100, seed: int = 0) -> Candidate:
    return Candidate(name=name, scores=scores(right), rounds=rounds(1 / speed, seed=seed), size=size)


def decide(*candidates: Candidate, budget: float = 0.01, pinned: str | None = None) -> judge.Choice:
    verdicts = [judge.verdict(each, candidates[0], ACCURACY, budget) for each in candidates]
    return judge.choose(verdicts, candidates, pinned)


def test_the_fastest_inside_the_budget_is_chosen():
    choice = decide(candidate("fp32"), candidate("a", speed=2), candidate("b", speed=3), candidate("c", speed=1.5))
    assert choice.variant == "b"
    assert "3.0" in choice.reason


def test_a_faster_variant_outside_the_budget_is_passed_over():
    choice = decide(candidate("fp32"), candidate("good", right=979, speed=1.5), candidate("bad", right=960, speed=4))
    assert choice.variant == "good"


def test_a_drop_inside_the_budget_that_the_data_can_not_show_is_not_accepted():
    choice = decide(candidate("fp32"), candidate("unsure", right=972, speed=4))
    assert choice.variant == "fp32"
    assert "not shown to lie inside the budget" in choice.reason


def test_noise_is_not_faster():
    choice = decide(candidate("fp32", seed=1), candidate("same", speed=1.005, seed=2))
    assert choice.variant == "fp32"
    assert "beyond noise" in choice.reason


def test_slower_variants_leave_fp32_with_the_reason():
    choice = decide(candidate("fp32"), candidate("int8", speed=0.5, seed=3))
    assert choice.variant == "fp32"
    assert "int8 is slower (2.0" in choice.reason


def test_of_two_that_tie_the_smaller_is_chosen():
    large, small = candidate("large", speed=2.01, size=90, seed=4), candidate("small", speed=2, size=30, seed=5)
    choice = decide(candidate("fp32"), large, small)
    assert choice.variant == "small"
    assert "as fast as large and smaller" in choice.reason


def test_with_nothing_else_fp32_is_chosen():
    assert decide(candidate("fp32")).variant == "fp32"


def test_a_pinned_variant_is_taken_where_it_keeps_the_budget_and_is_not_slower():
    choice = decide(candidate("fp32"), candidate("a", speed=2), candidate("b", speed=3), pinned="a")
    assert choice == judge.Choice("a", "pinned")


@pytest.mark.parametrize(
    ("pinned", "message"),
    [
        (candidate("wrong", right=900, speed=3), r"misses the accuracy budget: drop 0\.0800"),
        (candidate("slow", speed=0.5, seed=6), r"slower than fp32: it takes 2\.\d\d times"),
    ],
)
def test_a_pinned_variant_that_fails_is_refused_with_its_figure(pinned, message):
    with pytest.raises(Refused, match=message):
        decide(candidate("fp32"), pinned, pinned=pinned.name)


def for_elsewhere(**right: int) -> list[Candidate]:
    sizes = {"fp32": 100, "fp16": 50, "pruned": 10}
    return [Candidate(name=name, scores=scores(count), rounds=None, size=sizes[name]) for name, count in right.items()]


def test_what_nobody_measured_is_chosen_by_accuracy_alone_and_never_for_its_size():
    choice = decide(*for_elsewhere(fp32=980, fp16=980, pruned=980))
    assert choice.variant == "fp16"
    assert choice.reason.startswith("unmeasured: no hardware of its target is here") and "fastest" not in choice.reason
    assert decide(*for_elsewhere(fp32=980, fp16=950, pruned=980)).variant == "fp32"
    assert "fp16 could not be made" in decide(*for_elsewhere(fp32=980, pruned=980)).reason


def test_a_model_below_its_minimum_is_refused_with_figure_limit_and_distance():
    fp32 = candidate("fp32", right=940)
    verdict = judge.verdict(fp32, fp32, ACCURACY, 0.01)
    judge.gate("toy", verdict, ACCURACY, 0.94)
    with pytest.raises(Refused, match=r"accuracy 0\.9400 of fp32 is below the minimum 0\.95 by 0\.0100"):
        judge.gate("toy", verdict, ACCURACY, 0.95)


def test_an_error_above_its_maximum_is_refused():
    fp32 = Candidate(name="fp32", scores=np.full(50, 0.25), rounds=rounds(1), size=1)
    verdict = judge.verdict(fp32, fp32, RMSE, 0.01)
    with pytest.raises(Refused, match=r"rmse 0\.5000 of fp32 is above the maximum 0\.4 by 0\.1000"):
        judge.gate("toy", verdict, RMSE, 0.4)


@pytest.mark.parametrize(("budget", "needed"), [(0.01, 268), (0.005, 539), (0.1, 25)])
def test_too_little_data_for_the_budget_is_refused_with_the_number_needed(budget, needed):
    judge.require_enough(np.zeros(needed), ACCURACY, budget, "here")
    with pytest.raises(BadInput, match=rf"here returned {needed - 1} samples; .* at least {needed} to decide"):
        judge.require_enough(np.zeros(needed - 1), ACCURACY, budget, "here")
    assert bounds.paired_difference_upper(0, 0, needed) <= budget < bounds.paired_difference_upper(0, 0, needed - 1)


def test_the_bound_has_width_even_where_no_pair_differs():
    assert bounds.paired_difference_upper(0, 0, 900) == pytest.approx(2.7055 / (900 + 2.7055), rel=1e-4)


def test_the_bound_solves_tangos_score_equation():
    # 50 pairs, 1 lost and 0 won: (1 - 50 d)² = z² 50 (2q + d - d²), where q is the root of 100 q² + (99 d - 1) q = 0
    upper = bounds.paired_difference_upper(1, 0, 50)
    likely = max(1 - 99 * upper, 0) / 100
    assert (1 - 50 * upper) ** 2 == pytest.approx(bounds.Z95**2 * 50 * (2 * likely + upper - upper**2), rel=1e-6)


@pytest.mark.parametrize(("lost", "won"), [(0.01, 0.01), (0.02, 0.005), (0.004, 0.0)])
def test_the_bound_covers_the_true_drop_as_often_as_it_says(lost, won):
    generator = np.random.default_rng(8)
    draws = generator.multinomial(900, [lost, won, 1 - lost - won], size=2000)
    covered = [bounds.paired_difference_upper(int(b), int(c), 900) >= lost - won for b, c, _ in draws]
    assert np.mean(covered) > 0.935


def test_a_worse_rmse_is_bounded_in_pairs():
    generator = np.random.default_rng(9)
    error = generator.normal(0, 1, 2000)
    worse = error + generator.normal(0, 0.3, 2000)
    drop = float(np.sqrt(np.mean(worse**2)) - np.sqrt(np.mean(error**2)))
    upper = bounds.drop_upper(RMSE, error**2, worse**2)
    assert drop < upper < drop + 0.02
    assert bounds.drop_upper(RMSE, error**2, error**2) == 0


def test_the_median_ratio_lies_between_bounds_that_narrow_with_rounds():
    few = bounds.median_ratio(rounds(1, 0.1, 10)[:6], rounds(2, 0.1, 11)[:6])
    many = bounds.median_ratio(rounds(1, 0.1, 10), rounds(2, 0.1, 11))
    assert few[0] <= few[1] <= few[2]
    assert many[2] - many[0] < few[2] - few[0]


def test_too_few_rounds_show_nothing():
    low, _, high = bounds.median_ratio(rounds(1)[:3], rounds(9)[:3])
    assert (low, high) == (0.0, float("inf"))
