"""Temple or flower: a convolutional network with enough channels for INT8 to pay, on patches of two photographs."""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_sample_images

SIZE = 32
CHANNELS = (64, 64, 128, 128)
COUNTS = (600, 800)


def train(log_dir):
    keras.utils.set_random_seed(7)
    image = x = keras.Input((SIZE, SIZE, 3), name="image")
    for at, channels in enumerate(CHANNELS):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        if at % 2:
            x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(2, activation="softmax", name="probabilities")(x))
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")
    inputs, labels = training_data()
    model.fit(inputs["image"], labels, batch_size=32, epochs=4, verbose=0)
    return model


def training_data():
    """Patches of the photographs' left parts, float32 (n, 32, 32, 3) in 0..1."""
    return _patches(0, 0.6, COUNTS[0], 1)


def evaluation_data():
    """Patches of their right parts, which share no pixel with the left ones."""
    return _patches(0.6, 1, COUNTS[1], 2)


def labels():
    return ["temple", "flower"]


def _patches(start, end, count, seed):
    generator = np.random.default_rng(seed)
    photographs = load_sample_images().images
    classes = generator.integers(0, 2, count)
    patches = []
    for at in classes:
        height, width, _ = photographs[at].shape
        row = generator.integers(0, height - SIZE)
        column = generator.integers(int(width * start), int(width * end) - SIZE)
        patches.append(photographs[at][row : row + SIZE, column : column + SIZE])
    return {"image": np.stack(patches).astype("float32") / 255}, classes
