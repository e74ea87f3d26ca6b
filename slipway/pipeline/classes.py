"""Labels that are words, or numbers other than 0, 1, 2 ..., put into the order of the model's scores."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from slipway.pipeline.data import Dataset
from slipway.pipeline.errors import BadInput

Class = int | str


def check_words(data: Dataset, names: Sequence[str] | None) -> None:
    """Raises BadInput where a label is a word that is not among the names that model.yaml or labels() lists."""
    if names is not None and data.labels.dtype == object:
        _places(data, names)


def in_order(
    sets: tuple[Dataset, Dataset], listed: tuple[str, ...] | None, known: tuple[Class, ...] | None
) -> tuple[tuple[Dataset, Dataset], tuple[str, ...] | None]:
    """Training and evaluation data with class numbers as labels, and the classes' names in that order.

    The order is that of the model, where it knows its classes; else as listed; else words are sorted, which is how
    encoders of labels number them. Raises BadInput for a label that is none of the classes, and for two lists at odds.
    """
    words = any(each.labels.dtype == object for each in sets)
    plain = known is None or list(known) == list(range(len(known)))
    if not words and plain:
        for data in sets:
            if len(data.labels) and data.labels.min() < 0:
                raise BadInput(
                    f"{data.where}: labels must be class numbers 0, 1, 2 ... or names; got {data.labels.min()}"
                )
        return sets, listed
    if known is None or (words and plain):
        names = listed or tuple(sorted({str(each) for data in sets for each in data.labels}))
        return _numbered(sets, names), names
    names = tuple(map(str, known))
    if listed is not None and set(listed) != set(names):
        if len(listed) != len(names) or words or isinstance(known[0], str):
            raise BadInput(f"labels are {', '.join(listed[:5])}; the model knows the classes {', '.join(names[:5])}")
        return _numbered(sets, known), listed
    if not words and isinstance(known[0], str):  # numbers of classes that the model knows by name
        return sets, names
    return _numbered(sets, known), names


def _numbered(sets: tuple[Dataset, Dataset], classes: Sequence[Class]) -> tuple[Dataset, Dataset]:
    first, second = (replace(data, labels=_places(data, classes)) for data in sets)
    return first, second


def _places(data: Dataset, classes: Sequence[Class]) -> np.ndarray:
    places = {str(each): at for at, each in enumerate(classes)}
    labels = [str(each) for each in data.labels.tolist()]
    unknown = sorted(set(labels) - places.keys())
    if unknown:
        shown = ", ".join(map(str, classes[:10]))
        raise BadInput(f"{data.where}: {unknown[0]!r} among the labels is none of the classes {shown}")
    return np.array([places[each] for each in labels], dtype=np.int64)
