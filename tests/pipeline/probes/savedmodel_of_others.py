"""A pre-trained CNN as others ship it: basic-pitch's SavedModel of 2022, whose optimizer TensorFlow can't revive now.

Run in a Keras environment with a folder that holds the package: one JSON object.
"""

import json
from pathlib import Path

import numpy as np

from slipway.pipeline import runtime
from tests.pipeline.probes.sources import source_of

SAMPLES_OF_SOUND = 43844  # two seconds


def main(folder: Path) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, (3, SAMPLES_OF_SOUND, 1)).astype("float32")
    inputs = {"input_2": sound}
    source = source_of("basic_pitch/saved_models/icassp_2022/nmp", folder, inputs)
    running = runtime.session(source.path)
    specs, outputs = runtime.specs(running)
    pairs = zip(source.predict(inputs), runtime.predict(running, inputs), strict=True)
    print(
        json.dumps(
            {
                "inputs": {spec.name: [spec.dtype, list(spec.shape)] for spec in specs},
                "outputs": [each.name for each in outputs],
                "worst": max(float(np.abs(theirs - ours).max()) for theirs, ours in pairs),
            }
        )
    )
