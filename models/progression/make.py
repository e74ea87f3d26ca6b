"""How model.onnx and the tables beside it were made, once: python make.py, with scikit-learn and skl2onnx.

A folder like this needs no Python: whatever made the model, the pipeline takes the ONNX file and the two tables.
"""

import csv
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

FOLDER = Path(__file__).parent


def main() -> None:
    data = load_diabetes(scaled=False)
    rows, held_out, values, held_out_values = train_test_split(data.data, data.target, test_size=0.35, random_state=0)
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), RidgeCV(np.logspace(0, 4, 20))
    ).fit(rows, values)
    onnx = to_onnx(model, rows[:1].astype("float32"), target_opset={"": 17, "ai.onnx.ml": 3})
    (FOLDER / "model.onnx").write_bytes(onnx.SerializeToString())
    write("training.csv", data.feature_names, rows, values)
    write("evaluation.csv", data.feature_names, held_out, held_out_values)


def write(name: str, columns: list[str], rows: np.ndarray, values: np.ndarray) -> None:
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*columns, "progression"])
        table.writerows([*map(float, row), float(value)] for row, value in zip(rows, values, strict=True))


if __name__ == "__main__":
    main()
