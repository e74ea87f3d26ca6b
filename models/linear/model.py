"""y = 2x - 1, learnt by one dense unit in Keras: the smallest model that goes all the way."""

from pathlib import Path

import keras
import numpy as np

SEED = 7
RANGE = 10.0


def train(log_dir: Path) -> keras.Model:
    """A fitted line; its learning curve goes to `log_dir` for TensorBoard."""
    keras.utils.set_random_seed(SEED)
    inputs, values = training_data()
    x = keras.Input((1,), name="x")
    model = keras.Model(x, keras.layers.Dense(1, name="y")(x), name="linear")
    model.compile(optimizer=keras.optimizers.SGD(0.02), loss="mse")
    logs = keras.callbacks.TensorBoard(log_dir=str(log_dir))
    model.fit(inputs["x"], values, batch_size=32, epochs=20, callbacks=[logs], verbose=0)
    return model


def training_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """x float32 (n, 1) in -10..10, and 2x - 1."""
    return _line(np.random.default_rng(1).uniform(-RANGE, RANGE, (800, 1)))


def evaluation_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Other points of the same line."""
    return _line(np.random.default_rng(2).uniform(-RANGE, RANGE, (500, 1)))


def _line(x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return {"x": x.astype("float32")}, (2 * x - 1).astype("float32")
