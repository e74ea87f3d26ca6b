"""Calls the service of a case and reads the samples of its model folder."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np


def predict(port: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs of POST /predict. Raises HTTPError for a status other than 2xx."""
    body = json.dumps({"inputs": inputs}).encode()
    return post(port, "/predict", body, {"content-type": "application/json"})["outputs"]


def post(port: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)) as answer:
        return json.load(answer)


def evaluation(folder: str) -> tuple[np.ndarray, np.ndarray]:
    """The samples and their labels."""
    with np.load(Path(folder) / "evaluation.npz") as data:
        return data["x"], data["label"]


def accuracy(port: str, folder: str, count: int, output: str = "y") -> float:
    """The share of right answers to the first `count` samples, one sample a request."""
    samples, labels = evaluation(folder)
    answers = [np.argmax(predict(port, {"x": samples[i].tolist()})[output]) for i in range(count)]
    return float(np.mean(answers == labels[:count]))
