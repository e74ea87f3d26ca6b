"""Benign or malignant from 30 measurements of cells: a table as tables are, with gaps, slips and copies.

scikit-learn's data set is clean, so this adds what real ones hold, and handles it: copies are dropped before the split
(else a copy of a training row could be held out), gaps are filled and slips clipped inside the pipeline, which becomes
part of the served graph.
"""

from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from threadpoolctl import threadpool_limits

SEED = 7
HELD_OUT = 0.35
MISSING, SLIPS, COPIES = 0.03, 0.002, 40


def train(log_dir: Path) -> BaseEstimator:
    """The best of a small search, by cross-validated F1 on the training data alone."""
    inputs, labels = training_data()
    pipeline = Pipeline(
        [
            ("gaps", SimpleImputer(strategy="median")),
            ("slips", MinMaxScaler(clip=True)),
            ("even", StandardScaler()),
            ("network", MLPClassifier(solver="lbfgs", max_iter=200, random_state=SEED)),
        ]
    )
    grid = {"network__hidden_layer_sizes": [(16,), (32,)], "network__alpha": [1.0, 10.0]}
    search = GridSearchCV(pipeline, grid, scoring="f1_macro", cv=StratifiedKFold(5, shuffle=True, random_state=SEED))
    with threadpool_limits(1):  # the matrices are too small for more threads than one
        search.fit(_without_slips(inputs["measurements"]), labels)
    lines = [f"{score:.4f} {choice}" for score, choice in zip(*_scores(search), strict=True)]
    (log_dir / "search.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return search.best_estimator_


def training_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Measurements float32 (n, 30), NaN where one is missing; 0 malignant, 1 benign."""
    rows, _, labels, _ = _split()
    return {"measurements": rows}, labels


def evaluation_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Rows that neither training nor the search sees."""
    _, rows, _, labels = _split()
    return {"measurements": rows}, labels


def labels() -> list[str]:
    return ["malignant", "benign"]


def _split() -> list[np.ndarray]:
    rows, labels = _without_copies(*_as_collected())
    return train_test_split(rows, labels, test_size=HELD_OUT, random_state=0, stratify=labels)


def _as_collected() -> tuple[np.ndarray, np.ndarray]:
    """The data set with gaps, values ten times too large, and rows entered twice."""
    data = load_breast_cancer()
    generator = np.random.default_rng(3)
    rows = data.data.astype("float32")
    rows[generator.random(rows.shape) < SLIPS] *= 10
    rows[generator.random(rows.shape) < MISSING] = np.nan
    twice = generator.integers(0, len(rows), COPIES)
    return np.concatenate([rows, rows[twice]]), np.concatenate([data.target, data.target[twice]])


def _without_copies(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, first = np.unique(rows.view("uint32"), axis=0, return_index=True)
    return rows[np.sort(first)], labels[np.sort(first)]


def _without_slips(rows: np.ndarray) -> np.ndarray:
    """Each measurement held inside what all but the outermost hundredth show; the pipeline then clips to that."""
    low, high = np.nanquantile(rows, [0.01, 0.99], axis=0)
    return np.clip(rows, low, high).astype("float32")


def _scores(search: GridSearchCV) -> tuple[np.ndarray, list[dict[str, object]]]:
    return search.cv_results_["mean_test_score"], search.cv_results_["params"]
