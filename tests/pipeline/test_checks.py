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


def test_held_out_data_in_another_order_is_still_the_training_data():
    with pytest.raises(BadInput, match=r"evaluation_data\(\) returned the training data"):
        overlap(dataset(a=ROWS), dataset(a=ROWS[::-1]))
