"""Run in the environment of tests/models/table: estimators of each kind, and a table of floats, numbers and words."""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from slipway.pipeline import runtime
from slipway.pipeline.data import checked, fitted
from slipway.pipeline.errors import BadInput
from tests.pipeline.probes.sources import source_of


def main(folder: Path) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(300, 4)).astype("float32")
    labels = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    gaps = np.where(generator.random(rows.shape) < 0.1, np.nan, rows).astype("float32")
    words = np.array(["red apple", "green pear", "blue sky"], dtype=object)[labels + (rows[:, 2] > 1)]
    table = {
        "size": rows[:, :1],
        "count": generator.integers(0, 9, (300, 1)),
        "colour": np.array(["red", "green", "blue"], dtype=object)[generator.integers(0, 3, 300)][:, None],
    }
    columns = ColumnTransformer(
        [("n", StandardScaler(), ["size", "count"]), ("w", OneHotEncoder(sparse_output=False), ["colour"])]
    )
    cases = {
        "forest": (RandomForestClassifier(10, random_state=0).fit(rows, labels), {"x": rows}),
        "scores": (LinearSVC().fit(rows, np.digitize(rows[:, 0], [-0.5, 0.5])), {"x": rows}),
        "line": (make_pipeline(StandardScaler(), LinearRegression()).fit(rows, rows[:, 0] * 2), {"x": rows}),
        "gaps": (make_pipeline(SimpleImputer(), LogisticRegression()).fit(gaps, labels), {"x": gaps}),
        "words": (
            make_pipeline(TfidfVectorizer(lowercase=False), LogisticRegression()).fit(words, labels),
            {"t": words},
        ),
        "table": (make_pipeline(columns, LogisticRegression()).fit(frame(table), labels), table),
    }
    found = {name: figures(model, folder, inputs) for name, (model, inputs) in cases.items()}
    found |= {name: figures(model, folder, inputs, "classification") for name, (model, inputs) in brought(rows).items()}
    odd = make_pipeline(FunctionTransformer(np.sin), LogisticRegression()).fit(rows, labels)
    found["odd"] = refusal(lambda: source_of(odd, folder, {"x": rows}))
    several = RandomForestClassifier(3).fit(rows, np.stack([labels, 1 - labels], axis=1))
    found["several"] = refusal(lambda: source_of(several, folder, {"x": rows}))
    other = (graph(LogisticRegression().fit(rows, labels)), LogisticRegression().fit(rows, 1 - labels))
    found["beside another"] = figures(other, folder, {"x": rows}, "classification")["worst"]
    sys.modules["skl2onnx"] = None  # as where it is not installed
    found["missing"] = refusal(lambda: source_of(several, folder, {"x": rows}))
    print(json.dumps(found))


def brought(rows):
    """Models as people bring them: (model, inputs) by name."""
    generator = np.random.default_rng(1)
    labels = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    words, gaps = np.where(labels, "yes", "no"), np.where(generator.random(rows.shape) < 0.1, np.nan, rows)
    gaps = gaps.astype("float32")
    texts = np.array(["Red Apple a", "green PEAR", "Blue sky ÄÖ 7"], dtype=object)[labels + (rows[:, 2] > 1)]
    table = {
        "size": rows[:, 0],
        "colour": np.array(["Red", "green", "blue"], dtype=object)[generator.integers(0, 3, len(rows))],
    }
    columns = ColumnTransformer([("n", StandardScaler(), ["size"]), ("w", TfidfVectorizer(), "colour")])
    regression = LogisticRegression().fit(rows, words)
    return {
        "named": (regression, {"x": rows}),
        "numbered otherwise": (RandomForestClassifier(3).fit(rows, labels * 4 + 3), {"x": rows}),
        "columns": (make_pipeline(columns, LogisticRegression()).fit(frame(table), words), table),
        "boosted": (HistGradientBoostingClassifier(max_iter=5).fit(gaps, words), {"x": gaps}),
        "two scores": (LinearSVC().fit(rows, words), {"x": rows}),
        "outliers": (IsolationForest(n_estimators=9, random_state=0).fit(rows), {"x": rows}),
        "texts": (make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels), {"t": texts[:, None]}),
        "beside": ((graph(regression), regression), {"x": rows}),
    }


def graph(model):
    """As people convert it themselves: the label first, then maps."""
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    return skl2onnx.to_onnx(model, initial_types=[("x", FloatTensorType([None, 4]))], target_opset=17)


def figures(model, folder, inputs, task="regression"):
    source = source_of(model, folder, inputs, task)
    running = runtime.session(source.path)
    specs, outputs = runtime.specs(running)
    data = fitted(checked(inputs, np.zeros(300), task="regression", where="here", missing=True), specs)
    ours, theirs = runtime.predict(running, data.inputs), source.predict(data.inputs)
    return {
        "inputs": {spec.name: [spec.dtype, list(spec.shape)] for spec in specs},
        "outputs": [spec.name for spec in outputs],
        "classes": source.classes,
        "worst": float(np.abs(ours[0] - theirs[0]).max()),
    }


def frame(table):
    import pandas

    return pandas.DataFrame({name: array.reshape(len(array)) for name, array in table.items()})


def refusal(run) -> str:
    try:
        run()
    except BadInput as error:
        return str(error)
    return "taken"
