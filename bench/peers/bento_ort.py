"""BentoML with ONNX Runtime as its documentation has one write it: a typed API, BentoML's own server."""

import os

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=int(os.environ.get("WORKERS", "1")))
class Predict:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    @bentoml.api
    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.name: x.astype(np.float32)[np.newaxis]})[0]
