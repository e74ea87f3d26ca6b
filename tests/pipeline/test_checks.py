"""What was trained on is no evidence: samples in both sets are found."""

import numpy as np
import pytest

from slipway.pipeline.checks import overlap
from slipway.pipeline.data import Dataset
from slipway.pipeline.errors import BadInput


def dataset(where="evaluation_data()", **inputs):
    return Dataset(inputs, np.zeros(len(next(iter(inputs.values())))), where)


ROWS = np.arange(12, dtype="float32").reshape(4, 3)


def test_samples_in_both_sets_are_counted_over_all_inputs():
    left = dataset(a=ROWS, b=np.array([1, 2, 3, 4]))
    assert overlap(left, dataset(a=ROWS[1:3], b=np.array([2, 9]))) == 1


def test_texts_are_told_apart_whatever_their_lengths():
    words = np.array(["yes", "no", "perhaps"], dtype=object)
    assert overlap(dataset(t=words), dataset(t=np.array(["no", "never"]))) == 1


def test_honest_sets_of_few_distinct_rows_are_taken_and_counted():
    generator = np.random.default_rng(0)
    left, right = (dataset(a=generator.integers(0, 2, (300, 3))) for _ in range(2))
    assert overlap(left, right) == 300


def test_a_part_of_the_training_data_is_not_held_out():
    rows = np.random.default_rng(0).normal(size=(300, 3))
    with pytest.raises(BadInput, match=r"evaluation_data\(\) returned the training data"):
        overlap(dataset(a=rows), dataset(a=rows[:40]))
    assert overlap(dataset(a=rows), dataset(a=np.concatenate([rows[:40], rows[:1] + 1]))) == 40


def test_held_out_data_in_another_order_is_still_the_training_data():
    with pytest.raises(BadInput, match=r"evaluation_data\(\) returned the training data"):
        overlap(dataset(a=ROWS), dataset(a=ROWS[::-1]))
