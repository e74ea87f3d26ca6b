"""Flask and Keras as most tutorials serve a model: `model.predict` on what `request.get_json()` gives."""

import keras
import numpy as np
from flask import Flask, jsonify, request

app = Flask(__name__)
# The digits model's layers; weights that learned nothing take as long.
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)


@app.post("/predict")
def predict():  # noqa: ANN201
    image = np.array(request.get_json()["inputs"]["image"], np.float32)[np.newaxis]
    return jsonify(outputs=model.predict(image, verbose=0)[0].tolist())
