"""Columns go to the model by their names, and what no metric judges is held to FP32's answers."""

import re

import numpy as np
import pytest
from slipway.service.artifact import TensorSpec

from slipway.pipeline.data import Dataset, checked, fitted
from slipway.pipeline.errors import BadInput
from slipway.pipeline.runs import why_one
from slipway.pipeline.tolerance import unlike

X = (TensorSpec(name="x", dtype="float32", shape=(None, 3)),)
VALUES = {"a": np.arange(4.0), "b": np.arange(4.0) + 10, "c": np.arange(4.0) + 20}
TABLE = np.stack(list(VALUES.values()), axis=1)


class Table:
    """Stands for a DataFrame: an array whose columns have names."""

    def __init__(self, *columns):
        self.columns = columns

    def __array__(self, dtype=None, copy=None):
        return np.stack([VALUES[each] for each in self.columns], axis=1)


def of_file(*names, where="evaluation.csv"):
    return Dataset({each: VALUES.get(each, VALUES["a"]) for each in names}, np.zeros(4), where, from_file=True)


def of_frame(*names):
    return checked({"x": Table(*names)}, np.zeros(4), task="regression", where="evaluation_data()")


@pytest.mark.parametrize("given", [of_file, of_frame])
def test_columns_in_another_order_go_where_training_had_them(given):
    training = fitted(given("a", "b", "c"), X)
    assert training.columns == {"x": ("a", "b", "c")}
    for names in (("a", "b", "c"), ("c", "a", "b")):
        np.testing.assert_array_equal(fitted(given(*names), X, training.columns).inputs["x"], TABLE)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), "lacks the columns c; the model takes a, b, c"),
        (("a", "b", "c", "d"), "has the columns d, which the model does not take; the model takes a, b, c"),
        (("a", "b", "C"), "lacks the columns c and has the columns C, which the model does not take"),
    ],
)
def test_a_missing_or_strange_column_is_refused_by_name(names, message):
    with pytest.raises(BadInput, match=f"evaluation.csv {message}"):
        fitted(of_file(*names), X, {"x": ("a", "b", "c")})


def test_an_array_without_names_is_taken_as_it_is():
    data = checked({"x": TABLE}, np.zeros(4), task="regression", where="evaluation_data()")
    np.testing.assert_array_equal(fitted(data, X, {"x": ("c", "b", "a")}).inputs["x"], TABLE)


@pytest.mark.parametrize(
    ("found", "how"),
    [
        (lambda values: values + 0.01, None),
        (lambda values: values + 0.1, "is off by (9|10)\\.\\d% of its spread"),
        (lambda values: values[:, :1], "has shape"),
        (lambda values: np.where(values > 2, np.nan, values), "NaN or infinity in other places"),
    ],
)
def test_an_output_that_no_metric_judges_is_within_five_percent_of_its_spread(found, how):
    values = np.random.default_rng(0).normal(size=(500, 2))
    told = unlike(values, found(values))
    assert told is None if how is None else re.search(how, told)


def test_an_output_that_does_not_vary_has_no_spread_to_be_measured_by():
    same = np.full((4, 2), 3.0)
    assert unlike(same, same + 0.001) is None
    assert unlike(same, same + 1) == "is off by 1 and does not vary"


def test_words_that_no_metric_judges_are_the_same_for_nineteen_of_twenty():
    words = np.array(["yes", "no"] * 50, object)
    assert unlike(words, np.where(np.arange(100) < 5, "other", words)) is None
    assert unlike(words, np.where(np.arange(100) < 6, "other", words)) == "is the same for 94.0% of the samples only"


def test_a_text_for_each_sample_shares_a_run():
    words = np.array(["yes", "no", "maybe", "so"], object)
    ran = {
        1: [[words[at : at + 1]] for at in range(4)],
        **{size: [[words[:size]]] for size in (2, 3)},
        "all": [[words]],
    }
    assert why_one(["label"], ran) == ""
