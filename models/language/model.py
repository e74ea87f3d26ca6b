"""Which language a sentence is in: words and word pairs weighed by TF-IDF, and a linear model, all in one graph.

The sentences are the messages that Django ships in each language, so nothing has to be downloaded.
"""

import re
from pathlib import Path

import django
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

LANGUAGES = {"de": "German", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch", "sv": "Swedish"}
HELD_OUT = 800
SHORTEST = 3  # words


def train(log_dir: Path) -> BaseEstimator:
    """A fitted pipeline from strings to six probabilities."""
    inputs, labels = training_data()
    # lowercase=False, as ONNX's own way to lower case takes a locale that small containers do not have.
    words = TfidfVectorizer(lowercase=False, token_pattern=r"[a-zA-ZÀ-ÿ]+", max_features=6000)  # noqa: S106 - a pattern of tokens
    return make_pipeline(words, LogisticRegression(C=30, max_iter=300)).fit(inputs["text"], labels)


def training_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Sentences, strings (n,), and the number of their language."""
    sentences, _, labels, _ = _split()
    return {"text": sentences}, labels


def evaluation_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    _, held_out, _, held_out_labels = _split()
    return {"text": held_out}, held_out_labels


def labels() -> list[str]:
    return list(LANGUAGES.values())


def _split() -> list[np.ndarray]:
    found = [(sentence, at) for at, code in enumerate(LANGUAGES) for sentence in _sentences(code)]
    sentences, labels = np.array([each for each, _ in found], dtype=object), np.array([at for _, at in found])
    return train_test_split(sentences, labels, test_size=HELD_OUT, random_state=0, stratify=labels)


def _sentences(code: str) -> list[str]:
    """Messages of one language in the order of the alphabet, each once, without placeholders."""
    found = set()
    for file in Path(django.__file__).parent.glob(f"**/locale/{code}/LC_MESSAGES/*.po"):
        for quoted in re.findall(r'^msgstr(?:\[\d\])? ((?:".*"\n?)+)', file.read_text(encoding="utf-8"), re.MULTILINE):
            message = "".join(re.findall(r'"(.*)"', quoted)).replace("\\n", " ").replace('\\"', '"')
            plain = " ".join(re.sub(r"%(\(\w+\))?\w|\{\w*\}", " ", message).split())
            if len(plain.split()) >= SHORTEST and "Project-Id-Version" not in message:
                found.add(plain)
    return sorted(found)
