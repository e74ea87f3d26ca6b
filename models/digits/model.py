"""Handwritten digits, 28x28 grey values, with a small convolutional network in Keras."""

from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 7
HELD_OUT = 898
EPOCHS = 50
BATCH = 32


def train(log_dir: Path) -> keras.Model:
    """A fitted network; learning curves, with a tenth of the training data held back, go to `log_dir`."""
    keras.utils.set_random_seed(SEED)
    inputs, labels = training_data()
    images, watched, targets, watched_targets = train_test_split(
        inputs["image"], labels, test_size=0.1, random_state=SEED, stratify=labels
    )
    model = network()
    # Augmentation stays around the network, not in it: ONNX has no operators for it.
    shifted = keras.Sequential(
        [
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
            keras.layers.RandomRotation(0.03, fill_mode="constant"),
            model,
        ]
    )
    steps = EPOCHS * -(-len(images) // BATCH)
    shifted.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    shifted.fit(
        images,
        targets,
        batch_size=BATCH,
        epochs=EPOCHS,
        validation_data=(watched, watched_targets),
        callbacks=[
            keras.callbacks.TensorBoard(log_dir=str(log_dir)),
            keras.callbacks.LambdaCallback(on_epoch_end=_say),
        ],
        verbose=0,
    )
    return model


def network() -> keras.Model:
    """The untrained network: image float32 (n, 28, 28, 1) to ten probabilities."""
    image = keras.Input((28, 28, 1), name="image")
    x = keras.layers.Conv2D(32, 3, activation="relu")(image)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.4)(x)
    x = keras.layers.Dense(64, activation="relu")(x)
    x = keras.layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(image, x, name="digits")


def training_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Images float32 (n, 28, 28, 1) in 0..1 and their digits."""
    images, _, digits, _ = _split()
    return {"image": images}, digits


def evaluation_data() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Images and digits that training never sees."""
    _, images, _, digits = _split()
    return {"image": images}, digits


def labels() -> list[str]:
    return [str(digit) for digit in range(10)]


def _say(epoch: int, logs: dict[str, float]) -> None:
    if (epoch + 1) % 5 == 0:
        figures = ", ".join(f"{name} {value:.4f}" for name, value in logs.items())
        print(f"epoch {epoch + 1} of {EPOCHS}: {figures}", flush=True)


def _split() -> list[np.ndarray]:
    data = load_digits()
    images = _upscale(data.images.astype("float32") / 16)
    return train_test_split(images, data.target, test_size=HELD_OUT, random_state=0, stratify=data.target)


def _upscale(images: np.ndarray) -> np.ndarray:
    """(n, 8, 8) to (n, 28, 28, 1), bilinear: pixel centres of the large grid mapped to the small one."""
    at = np.clip((np.arange(28) + 0.5) * 8 / 28 - 0.5, 0, 7)
    low = np.minimum(at.astype(int), 6)
    part = (at - low).astype("float32")
    rows = images[:, low] * (1 - part)[:, None] + images[:, low + 1] * part[:, None]
    both = rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part
    return both[..., None].astype("float32")
