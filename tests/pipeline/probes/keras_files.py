"""Run in the environment of models/digits: one network with two inputs as code, .keras, .h5 and a SavedModel."""

import json
from pathlib import Path

import keras
import numpy as np

from slipway.pipeline import runtime
from slipway.pipeline.errors import BadInput
from tests.pipeline.probes.sources import source_of


def main(folder: Path) -> None:
    inputs = {
        "image": np.random.default_rng(0).random((70, 8, 8, 1), dtype="float32"),
        "place": np.arange(70, dtype="int32")[:, None] % 5,
    }
    model = network()
    model.save(folder / "net.keras")
    model.save(folder / "net.h5")
    model.export(folder / "saved", verbose=False)
    found = {}
    for name, given in {"code": model, "keras": "net.keras", "h5": "net.h5", "savedmodel": "saved"}.items():
        source = source_of(given, folder, inputs)
        running = runtime.session(source.path)
        specs, outputs = runtime.specs(running)
        theirs, ours = source.predict(inputs), runtime.predict(running, inputs)
        found[name] = {
            "framework": source.framework,
            "inputs": {spec.name: [spec.dtype, list(spec.shape)] for spec in specs},
            "outputs": [spec.name for spec in outputs],
            "worst": max(float(np.abs(a - b).max()) for a, b in zip(theirs, ours, strict=True)),
        }
    found |= {name: figures(model, folder, given) for name, (model, given) in sequential(inputs["image"]).items()}
    layers = [keras.Input((8, 8, 1), name="image"), augmentation(), network_of_image()]
    found["bare"] = refusal(lambda: source_of(keras.Sequential(layers), folder, {"image": inputs["image"]}))
    found["shapeless"] = refusal(lambda: source_of(keras.Sequential([keras.layers.Dense(2)]), folder, inputs))
    (folder / "broken.keras").write_text("no zip")
    found["broken"] = refusal(lambda: source_of("broken.keras", folder, inputs))
    (folder / "empty").mkdir()
    found["empty"] = refusal(lambda: source_of("empty", folder, inputs))
    print(json.dumps(found))


def sequential(images):
    """Networks as tutorials write them; (model, inputs) by name."""
    layers, words = keras.layers, np.random.default_rng(1).integers(0, 20, (70, 12)).astype("int32")
    masked = [layers.Embedding(20, 8, mask_zero=True), layers.Bidirectional(layers.LSTM(4, return_sequences=True))]
    return {
        "with an input": (
            keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)]),
            {"image": images},
        ),
        "called first": (keras.Sequential([layers.Flatten(), layers.Dense(3)]), {"image": images}),
        "masked": (
            keras.Sequential([keras.Input((12,), dtype="int32"), *masked, layers.GRU(4), layers.Dense(3)]),
            {"words": words},
        ),
    }


def figures(model, folder, inputs):
    source = source_of(model, folder, inputs)
    running = runtime.session(source.path)
    specs, outputs = runtime.specs(running)
    theirs, ours = source.predict(inputs), runtime.predict(running, inputs)
    return {
        "inputs": [spec.name for spec in specs],
        "outputs": [spec.name for spec in outputs],
        "worst": float(np.abs(theirs[0] - ours[0]).max()),
    }


def network() -> keras.Model:
    image, place = keras.Input((8, 8, 1), name="image"), keras.Input((1,), name="place", dtype="int32")
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(image))
    y = keras.layers.Flatten()(keras.layers.Embedding(5, 3)(place))
    return keras.Model([image, place], keras.layers.Dense(3, name="scores")(keras.layers.Concatenate()([x, y])))


def network_of_image() -> keras.Model:
    image = keras.Input((8, 8, 1), name="image")
    return keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))


def augmentation() -> keras.layers.Layer:
    return keras.layers.RandomRotation(0.1, name="turned")


def refusal(run) -> str:
    try:
        run()
    except BadInput as error:
        return str(error)
    return "taken"
