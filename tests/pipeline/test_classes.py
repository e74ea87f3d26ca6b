"""Labels that are words, or odd numbers, get the places of the model's classes."""

import numpy as np
import pytest

from slipway.pipeline.classes import in_order
from slipway.pipeline.data import checked
from slipway.pipeline.errors import BadInput


def sets(*labels):
    return tuple(
        checked({"x": np.zeros((len(each), 1))}, each, task="classification", where="here") for each in (labels * 2)[:2]
    )


def ordered(labels, listed=None, known=None):
    (training, _), names = in_order(sets(labels), listed, known)
    return training.labels.tolist(), names


def test_words_are_sorted_where_neither_model_nor_user_gives_an_order():
    assert ordered(["red", "blue", "red"]) == ([1, 0, 1], ("blue", "red"))


def test_the_models_order_comes_before_the_users():
    assert ordered(["no", "yes"], ("yes", "no"), ("no", "yes")) == ([0, 1], ("no", "yes"))


def test_words_for_a_model_of_numbered_classes_are_as_listed():
    assert ordered(["no", "yes"], ("yes", "no"), (0, 1)) == ([1, 0], ("yes", "no"))


def test_numbers_other_than_from_0_on_are_classes_too():
    assert ordered([3, 7, 3], None, (3, 7)) == ([0, 1, 0], ("3", "7"))
    assert ordered([-1, 1], ("out", "in"), (-1, 1)) == ([0, 1], ("out", "in"))


def test_class_numbers_of_a_model_that_knows_names_stay():
    assert ordered([1, 0], None, ("no", "yes")) == ([1, 0], ("no", "yes"))


def test_plain_class_numbers_stay_and_need_no_names():
    assert ordered([2, 0]) == ([2, 0], None)


@pytest.mark.parametrize(
    ("labels", "listed", "known", "message"),
    [
        (["no", "perhaps"], None, ("no", "yes"), "'perhaps' among the labels is none of the classes no, yes"),
        (["no"], ("nein", "ja"), ("no", "yes"), "labels are nein, ja; the model knows the classes no, yes"),
        ([-1, 1], None, None, "labels must be class numbers 0, 1, 2"),
    ],
)
def test_labels_that_are_none_of_the_classes_are_told(labels, listed, known, message):
    with pytest.raises(BadInput, match=message):
        ordered(labels, listed, known)
